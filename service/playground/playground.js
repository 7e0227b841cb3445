// Assembles the page. Nothing is stored: a session ends with its tab.

import { ApiError, fetchExample, fetchJudgement, fetchServerDescription, SERVER, streamChat } from "./api.js";
import { $, announce, createElement, fill, show } from "./dom.js";
import { Findings } from "./findings.js";
import { Images } from "./images.js";
import { PolicyTrial } from "./policy.js";

const images = new Images(showError);
let findings = null;
let trial = null;
let running = null;

function showError(message) {
  $("problem").textContent = message ?? "";
  show($("problem"), Boolean(message));
}

function readRequest() {
  const fields = { prompt: $("prompt").value };
  for (const name of ["max_tokens", "temperature", "seed", "language", "policy"]) {
    const field = $("ask").elements[name];
    if (field.value !== "") fields[name] = field.type === "number" ? Number(field.value) : field.value;
  }
  return { files: images.files, fields };
}

async function ask() {
  running?.abort();
  const turn = (running = new AbortController());
  const request = readRequest();
  const urls = request.files.map((file) => images.getUrl(file));
  showError(null);
  $("stop").disabled = false;
  findings.start(request, urls);
  try {
    for await (const [name, data] of streamChat(request, turn.signal)) {
      if (name === "assessment") findings.showAssessment(data);
      else if (name === "delta") findings.appendText(data);
      else if (name === "done") findings.showReply(data);
    }
    if (trial) {
      const judgement = await fetchJudgement(request, turn.signal);
      findings.showExplanation(judgement);
      trial.add({ prompt: request.fields.prompt, urls, why: judgement.why });
    }
  } catch (error) {
    if (turn === running) findings.showError(formatError(error));
  } finally {
    if (turn === running) {
      running = null;
      $("stop").disabled = true;
    }
  }
}

function formatError(error) {
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

function selectTab(tab) {
  for (const one of document.querySelectorAll('[role="tab"]')) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    show($(one.getAttribute("aria-controls")), chosen);
  }
}

function addListeners() {
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
    tab.addEventListener("click", () => selectTab(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const other = step ? tabs.at((index + step) % tabs.length) : { Home: tabs[0], End: tabs.at(-1) }[event.key];
      if (!other) return;
      event.preventDefault();
      selectTab(other);
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
        announce("Selected for copying");
        return;
      }
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1500);
      announce("Copied");
    });
  }
}

function showExamples(examples) {
  fill(
    $("examples"),
    examples.map((example) =>
      createElement(
        "li",
        {},
        createElement(
          "button",
          { type: "button", onclick: () => useExample(example) },
          createElement("img", { src: `${SERVER}/playground/examples/${encodeURIComponent(example.file)}`, alt: "", width: 48, height: 48 }),
          example.prompt,
        ),
      ),
    ),
  );
}

async function useExample(example) {
  try {
    images.replace([await fetchExample(example)]);
    $("prompt").value = example.prompt;
    await ask();
  } catch (error) {
    showError(formatError(error));
  }
}

function showFallback({ model, fallback }) {
  if (!fallback) return;
  $("fallback").textContent = `${model} is served instead of ${fallback.wanted}. ${fallback.reason}`;
  show($("fallback"), true);
}

async function start() {
  let server;
  try {
    server = await fetchServerDescription();
  } catch (error) {
    showError(formatError(error));
    return;
  }
  $("model").textContent = server.model;
  $("fitness").textContent = server.description;
  showFallback(server);
  images.limit = server.max_images;
  $("ask").elements.max_tokens.max = server.max_tokens;
  fill(
    $("ask").elements.policy,
    server.policies.map(({ name }, index) => createElement("option", { value: index ? name : "" }, name)),
  );
  show($("policy-field"), server.policies.length > 1);
  showExamples(server.examples);
  findings = new Findings(server);
  if (server.exposes_risk && server.policies.length) trial = new PolicyTrial(server);
  else show($("tab-policy"), false);
  addListeners();
  document.body.dataset.ready = "";
}

start();
