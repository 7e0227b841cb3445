// Assembles the page. Nothing is stored: a session ends with its tab.

import { ApiError, chat, fetchServerDescription, judgement, pictureOf, SERVER } from "./api.js";
import { $, el, fill, say, show } from "./dom.js";
import { Findings } from "./findings.js";
import { Pictures } from "./pictures.js";
import { PolicyTrial } from "./policy.js";

const pictures = new Pictures(complain);
let findings = null;
let trial = null;
let running = null;

function complain(message) {
  $("problem").textContent = message ?? "";
  show($("problem"), Boolean(message));
}

function readRequest() {
  const fields = { prompt: $("prompt").value };
  for (const name of ["max_tokens", "temperature", "seed", "language", "policy"]) {
    const field = $("ask").elements[name];
    if (field.value !== "") fields[name] = field.type === "number" ? Number(field.value) : field.value;
  }
  return { files: pictures.files, fields };
}

async function ask() {
  running?.abort();
  const turn = (running = new AbortController());
  const request = readRequest();
  const urls = request.files.map((file) => pictures.url(file));
  complain(null);
  $("stop").disabled = false;
  findings.begin(request, urls);
  try {
    for await (const [name, data] of chat(request, turn.signal)) {
      if (name === "assessment") findings.assessed(data);
      else if (name === "delta") findings.heard(data);
      else if (name === "done") findings.done(data);
    }
    if (trial) {
      const { images, why } = await judgement(request, turn.signal);
      findings.explained(images, why);
      trial.add({ prompt: request.fields.prompt, urls, why });
    }
  } catch (error) {
    if (turn === running) findings.failed(messageOf(error));
  } finally {
    if (turn === running) {
      running = null;
      $("stop").disabled = true;
    }
  }
}

function messageOf(error) {
  if (error.name === "AbortError") return "Stopped.";
  if (error instanceof ApiError) return error.message;
  console.error(error);
  return "An error occurred in this page.";
}

function stop() {
  if (!running) return;
  running.abort();
  $("send").focus();
}

function choose(tab) {
  for (const one of document.querySelectorAll('[role="tab"]')) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    show($(one.getAttribute("aria-controls")), chosen);
  }
}

function listen() {
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && stop());
  $("stop").addEventListener("click", stop);
  const tabs = [...document.querySelectorAll('[role="tab"]:not([hidden])')];
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const other = step ? tabs.at((index + step) % tabs.length) : { Home: tabs[0], End: tabs.at(-1) }[event.key];
      if (!other) return;
      event.preventDefault();
      choose(other);
      other.focus();
    });
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const text = $(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        // Over plain HTTP from another machine, there is no clipboard API; Ctrl+C still works.
        getSelection().selectAllChildren(text);
        say("Selected for copying");
        return;
      }
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1500);
      say("Copied");
    });
  }
}

function offer(examples) {
  fill(
    $("examples"),
    examples.map((example) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", onclick: () => take(example) },
          el("img", { src: `${SERVER}/playground/examples/${encodeURIComponent(example.file)}`, alt: "", width: 48, height: 48 }),
          example.prompt,
        ),
      ),
    ),
  );
}

async function take(example) {
  try {
    pictures.replace([await pictureOf(example)]);
    $("prompt").value = example.prompt;
    await ask();
  } catch (error) {
    complain(messageOf(error));
  }
}

async function begin() {
  let server;
  try {
    server = await fetchServerDescription();
  } catch (error) {
    complain(messageOf(error));
    return;
  }
  $("model").textContent = server.model;
  $("fitness").textContent = server.description;
  pictures.most = server.max_images;
  $("ask").elements.max_tokens.max = server.max_tokens;
  fill(
    $("ask").elements.policy,
    server.policies.map(({ name }, index) => el("option", { value: index ? name : "" }, name)),
  );
  show($("policy-field"), server.policies.length > 1);
  offer(server.examples);
  findings = new Findings(server);
  if (server.exposes_risk && server.policies.length) trial = new PolicyTrial(server);
  else show($("tab-policy"), false);
  listen();
  document.body.dataset.ready = "";
}

begin();
