// Renders the result of a request as it arrives: verdict, scores, reply, explanation, timings, and code snippets.

import { SERVER } from "./api.js";
import { $, el, fill, percent, precise, show, spelled } from "./dom.js";
import { curl, python } from "./snippets.js";

const DECISIONS = { allowed: "Allowed", cautioned: "Answered with care", refused: "Refused" };

const STAGES = { decode_ms: "Decode", queue_ms: "Wait", guard_ms: "Guard", generate_ms: "Generate" };
const SURFACES = { image: "Image", text: "Text", joint: "Both together" };

export class Findings {
  #server;
  #words = "";

  constructor(server) {
    this.#server = server;
    $("overlay").addEventListener("input", () => this.#dim());
    this.#dim();
  }

  begin(request, urls) {
    this.#words = "";
    show($("nothing"), false);
    show($("results"), true);
    for (const id of ["why", "time"]) show($(id), false);
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
    fill($("maps"), urls.map((url, index) => el("figure", {}, el("img", { src: url, alt: `Image ${index + 1}` }))));
    for (const id of ["types", "levels", "surfaces"]) fill($(id));
    const context = { origin: SERVER, wantsKey: this.#server.wants_key };
    $("curl").textContent = curl(request, context);
    $("python").textContent = python(request, context);
    bringUp();
  }

  assessed({ decision, risk }) {
    $("verdict").dataset.decision = decision;
    $("decision").textContent = DECISIONS[decision];
    $("reply-title").textContent = decision === "refused" ? "Refusal" : "Reply";
    $("reply").setAttribute("aria-busy", "true");
    show($("reply-box"), true);
    if (risk) this.#scored(risk);
    bringUp();
  }

  heard({ content, refusal }) {
    this.#words += content ?? refusal ?? "";
    $("reply").textContent = this.#words;
  }

  #scored(risk) {
    const { index, name } = risk.level;
    $("risk").textContent = `Risk: ${spelled(risk.type)}, level ${index} (${spelled(name)})`;
    fill($("types"), bars(risk.type_scores, risk.type));
    fill($("levels"), bars(risk.level_scores, name));
    const surfaces = Object.entries(risk.surfaces).filter(([, share]) => share !== null);
    fill($("surfaces"), bars(Object.fromEntries(surfaces.map(([key, share]) => [SURFACES[key], share])), null));
    if (risk.heatmap && $("maps").childElementCount === 1) this.#overlay(0, risk.heatmap);
  }

  done(reply) {
    const words = reply.refusal ?? reply.content ?? "";
    $("reply").textContent = words;
    $("reply").setAttribute("aria-busy", "false");
    $("reply-note").textContent = noteOn(reply);
    if (!reply.timings) return;
    const stages = Object.entries(STAGES).map(([key, name]) => [key.replace("_ms", ""), name, reply.timings[key]]);
    fill($("time-bar"), stages.map(([key, , ms]) => el("span", { class: key, share: ms })));
    const whole = stages.reduce((sum, [, , ms]) => sum + ms, 0);
    fill(
      $("time-list"),
      stages.map(([key, name, ms]) => el("li", {}, el("span", { class: `swatch ${key}` }), name, el("b", {}, inMs(ms)))),
      el("li", { class: "whole" }, "Total", el("b", {}, inMs(whole))),
    );
    $("time-note").textContent = reply.timings.guard_ms === 0 ? "The verdict came from the cache, because the same request was judged before." : "";
    show($("time"), true);
  }

  explained(images, why) {
    images.forEach((picture, index) => picture.heatmap && this.#overlay(index, picture.heatmap));
    const by = why.decided_by?.view;
    const policy = why.policy.mode === "shadow" ? `${why.policy.name} (in shadow mode: its decisions are not enforced)` : why.policy.name;
    const off = why.off.length ? ` Disabled: ${why.off.map(spelled).join(", ")}.` : "";
    const seen = [...new Set(why.views.filter((view) => view.decides).map((view) => view.view))].map(viewName);
    const readings = why.readings > 1 ? ` The text was judged in ${why.readings} variants.` : "";
    $("why-text").textContent =
      `Policy ${policy} on ${spelled(why.type)}, decided by ${by ? viewName(by) : "nothing"}` +
      `${seen.length > 1 ? ` (the worst of ${seen.join(", ")})` : ""}.${readings}${off}`;
    fill(
      $("why-rules"),
      el("thead", {}, el("tr", {}, ["Level", "Probability of this level or worse", "Threshold", "Action"].map((name) => el("th", { scope: "col" }, name)))),
      el(
        "tbody",
        {},
        why.rules.map((rule) =>
          el(
            "tr",
            { class: acting(why, rule) ? "acts" : null },
            el("th", { scope: "row" }, `${rule.level} ${spelled(rule.name)}`),
            el("td", {}, precise(rule.belief)),
            el("td", {}, precise(rule.threshold)),
            el("td", {}, rule.reached ? `reached: ${rule.action}` : "not reached"),
          ),
        ),
      ),
    );
    show($("why"), true);
  }

  failed(message) {
    $("verdict").dataset.decision = "failed";
    $("decision").textContent = "No answer";
    $("reply").setAttribute("aria-busy", "false");
    $("risk").textContent = message;
    show($("reply-box"), this.#words !== "");
    show($("head"), $("types").childElementCount > 0);
  }

  #overlay(index, heatmap) {
    const figure = $("maps").children[index];
    figure.querySelector(".heat")?.remove();
    figure.append(el("img", { class: "heat", src: heatmap, alt: "" }));
    show($("overlay-field"), true);
    show($("overlay-hint"), true);
    this.#dim();
  }

  #dim() {
    $("maps").style.setProperty("--strength", String($("overlay").value / 100));
  }
}

// On a small screen, the result is below the form.
function bringUp() {
  if (matchMedia("(max-width: 62rem)").matches) $("results").scrollIntoView();
}

function noteOn(reply) {
  if (reply.decision === "refused") return "The language model did not run: a refusal needs no generated tokens.";
  const tokens = `${reply.usage.completion_tokens} tokens`;
  if (reply.finish_reason === "content_filter") return `Cut: the reply became harmful while it was generated (${tokens}).`;
  if (reply.finish_reason === "length") return `${tokens}; the token limit is reached.`;
  return tokens;
}

function bars(shares, chosen) {
  return Object.entries(shares).map(([name, share]) =>
    el(
      "li",
      { class: name === chosen ? "chosen" : null },
      el("span", { class: "name" }, spelled(name)),
      el("span", { class: "track", "aria-hidden": "true" }, el("span", { class: "fill", share })),
      el("span", { class: "value" }, percent(share)),
    ),
  );
}

// The highest reached level determines the action.
function acting(why, rule) {
  return rule.reached && rule.level === Math.max(...why.rules.filter((one) => one.reached).map((one) => one.level));
}

function viewName(view) {
  if (view === "all") return "all together";
  return view.startsWith("image ") ? view : `the ${view === "text" ? "text" : "images"}`;
}

const inMs = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
