// Renders the result of a request as it arrives: verdict, scores, reply, explanation, timings, and code snippets.

import { SERVER } from "./api.js";
import { $, createElement, fill, percent, precise, show, spelled } from "./dom.js";
import { formatCurl, formatPython } from "./snippets.js";

const DECISIONS = { allowed: "Allowed", cautioned: "Answered with care", refused: "Refused" };

const STAGES = { decode_ms: "Decode", queue_ms: "Wait", guard_ms: "Guard", generate_ms: "Generate" };
const SURFACES = { image: "Image", text: "Text", joint: "Both together", lettering: "Lettering" };

export class Findings {
  #server;
  #text = "";

  constructor(server) {
    this.#server = server;
    $("overlay").addEventListener("input", () => this.#updateOverlayOpacity());
    this.#updateOverlayOpacity();
  }

  start(request, urls) {
    this.#text = "";
    show($("nothing"), false);
    show($("results"), true);
    for (const id of ["why", "time", "lettering"]) show($(id), false);
    $("verdict").dataset.decision = "waiting";
    $("decision").textContent = "Judging …";
    $("risk").textContent = "";
    $("reply-title").textContent = "Reply";
    for (const id of ["reply", "reply-note"]) $(id).textContent = "";
    show($("reply-box"), false);
    show($("scores-hidden"), !this.#server.exposes_risk);
    show($("scores"), this.#server.exposes_risk);
    show($("head"), true);
    show($("attention"), urls.length > 0);
    show($("overlay-field"), false);
    show($("overlay-hint"), false);
    fill($("maps"), urls.map((url, index) => createElement("figure", {}, createElement("img", { src: url, alt: `Image ${index + 1}` }))));
    for (const id of ["types", "levels", "surfaces"]) fill($(id));
    const context = { origin: SERVER, wantsKey: this.#server.wants_key };
    $("curl").textContent = formatCurl(request, context);
    $("python").textContent = formatPython(request, context);
    scrollToResults();
  }

  showAssessment({ decision, risk }) {
    $("verdict").dataset.decision = decision;
    $("decision").textContent = DECISIONS[decision];
    $("reply-title").textContent = decision === "refused" ? "Refusal" : "Reply";
    $("reply").setAttribute("aria-busy", "true");
    show($("reply-box"), true);
    if (risk) this.#showScores(risk);
    scrollToResults();
  }

  appendText({ content, refusal }) {
    this.#text += content ?? refusal ?? "";
    $("reply").textContent = this.#text;
  }

  #showScores(risk) {
    const { index, name } = risk.level;
    $("risk").textContent = `Risk: ${spelled(risk.type)}, level ${index} (${spelled(name)})`;
    fill($("types"), createBars(risk.type_scores, risk.type));
    fill($("levels"), createBars(risk.level_scores, name));
    const surfaces = Object.entries(risk.surfaces).filter(([, share]) => share !== null);
    fill($("surfaces"), createBars(Object.fromEntries(surfaces.map(([key, share]) => [SURFACES[key], share])), null));
    if (risk.heatmap && $("maps").childElementCount === 1) this.#drawOverlay(0, risk.heatmap);
  }

  showReply(reply) {
    const text = reply.refusal ?? reply.content ?? "";
    $("reply").textContent = text;
    $("reply").setAttribute("aria-busy", "false");
    $("reply-note").textContent = describeReply(reply);
    if (!reply.timings) return;
    const stages = Object.entries(STAGES).map(([key, name]) => [key.replace("_ms", ""), name, reply.timings[key]]);
    fill($("time-bar"), stages.map(([key, , ms]) => createElement("span", { class: key, share: ms })));
    const whole = stages.reduce((sum, [, , ms]) => sum + ms, 0);
    fill(
      $("time-list"),
      stages.map(([key, name, ms]) => createElement("li", {}, createElement("span", { class: `swatch ${key}` }), name, createElement("b", {}, formatMs(ms)))),
      createElement("li", { class: "whole" }, "Total", createElement("b", {}, formatMs(whole))),
    );
    $("time-note").textContent = reply.timings.guard_ms === 0 ? "The verdict came from the cache, because the same request was judged before." : "";
    show($("time"), true);
  }

  showExplanation({ images, lettering, why }) {
    images.forEach((image, index) => image.heatmap && this.#drawOverlay(index, image.heatmap));
    const by = why.decided_by?.view;
    const policy = why.policy.mode === "shadow" ? `${why.policy.name} (in shadow mode: its decisions are not enforced)` : why.policy.name;
    const off = why.off.length ? ` Disabled: ${why.off.map(spelled).join(", ")}.` : "";
    const seen = [...new Set(why.views.filter((view) => view.decides).map((view) => view.view))].map(nameView);
    const readings = why.readings > 1 ? ` The text was judged in ${why.readings} variants.` : "";
    $("why-text").textContent =
      `Policy ${policy} on ${spelled(why.type)}, decided by ${by ? nameView(by) : "nothing"}` +
      `${seen.length > 1 ? ` (the worst of ${seen.join(", ")})` : ""}.${readings}${off}`;
    fill(
      $("why-rules"),
      createElement("thead", {}, createElement("tr", {}, ["Level", "Probability of this level or worse", "Threshold", "Action"].map((name) => createElement("th", { scope: "col" }, name)))),
      createElement(
        "tbody",
        {},
        why.rules.map((rule) =>
          createElement(
            "tr",
            { class: isDecisive(why, rule) ? "acts" : null },
            createElement("th", { scope: "row" }, `${rule.level} ${spelled(rule.name)}`),
            createElement("td", {}, precise(rule.belief)),
            createElement("td", {}, precise(rule.threshold)),
            createElement("td", {}, rule.reached ? `reached: ${rule.action}` : "not reached"),
          ),
        ),
      ),
    );
    this.#showLettering(lettering ?? []);
    show($("why"), true);
  }

  // Lists the lettering that was read, and frames it in the images.
  #showLettering(lettering) {
    const lines = lettering.flatMap(({ image, lines }) => lines.map((line) => ({ image, ...line })));
    for (const { image, box } of lines) $("maps").children[image].append(createFrame(box));
    fill($("lettering-lines"), lines.map(({ text }) => createElement("li", {}, text)));
    show($("lettering"), lines.length > 0);
  }

  showError(message) {
    $("verdict").dataset.decision = "failed";
    $("decision").textContent = "No answer";
    $("reply").setAttribute("aria-busy", "false");
    $("risk").textContent = message;
    show($("reply-box"), this.#text !== "");
    show($("head"), $("types").childElementCount > 0);
  }

  #drawOverlay(index, heatmap) {
    const figure = $("maps").children[index];
    figure.querySelector(".heat")?.remove();
    figure.append(createElement("img", { class: "heat", src: heatmap, alt: "" }));
    show($("overlay-field"), true);
    show($("overlay-hint"), true);
    this.#updateOverlayOpacity();
  }

  #updateOverlayOpacity() {
    $("maps").style.setProperty("--strength", String($("overlay").value / 100));
  }
}

// On a small screen, the result is below the form.
function scrollToResults() {
  if (matchMedia("(max-width: 62rem)").matches) $("results").scrollIntoView();
}

function describeReply(reply) {
  if (reply.decision === "refused") return "The language model did not run: a refusal needs no generated tokens.";
  const tokens = `${reply.usage.completion_tokens} tokens`;
  if (reply.finish_reason === "content_filter") return `Cut: the reply became harmful while it was generated (${tokens}).`;
  if (reply.finish_reason === "length") return `${tokens}; the token limit is reached.`;
  return tokens;
}

function createBars(shares, chosen) {
  return Object.entries(shares).map(([name, share]) =>
    createElement(
      "li",
      { class: name === chosen ? "chosen" : null },
      createElement("span", { class: "name" }, spelled(name)),
      createElement("span", { class: "track", "aria-hidden": "true" }, createElement("span", { class: "fill", share })),
      createElement("span", { class: "value" }, percent(share)),
    ),
  );
}

// The highest reached level determines the action.
function isDecisive(why, rule) {
  return rule.reached && rule.level === Math.max(...why.rules.filter((each) => each.reached).map((each) => each.level));
}

function nameView(view) {
  if (view === "all") return "all together";
  if (view.startsWith("lettering")) return `the lettering${view.replace(/^lettering (?=\d)/, " in image ").replace(/^lettering/, " in all images").replace("with text", "with the text")}`;
  return view.startsWith("image ") ? view : `the ${view === "text" ? "text" : "images"}`;
}

// Creates a frame around a part of an image, given in shares of its sides.
function createFrame([left, top, right, bottom]) {
  const frame = createElement("span", { class: "frame", "aria-hidden": "true" });
  const sides = { left, top, width: right - left, height: bottom - top };
  for (const [side, share] of Object.entries(sides)) frame.style.setProperty(side, `${100 * share}%`);
  return frame;
}

const formatMs = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
