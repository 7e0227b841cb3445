// The cards of the examples that a visitor can begin with.

import { getExampleUrl } from "./api.js";
import { $, createButton, createElement, fill } from "./dom.js";
import { createBadge } from "./badge.js";

function createPicture({ file, alt }) {
  if (!file) return createElement("span", { class: "no-image", "aria-hidden": "true" }, "“ ”");
  return createElement("img", { src: getExampleUrl(file), alt, loading: "lazy" });
}

function createCard(example, onChoose) {
  return createElement(
    "li",
    {},
    createButton(
      { class: "example", onclick: () => onChoose(example) },
      createElement("span", { class: "example-image" }, createPicture(example)),
      createElement(
        "span",
        { class: "example-text" },
        createElement("span", { class: "kind" }, example.kind),
        createElement("b", {}, example.title),
        createElement("q", {}, example.prompt),
        createElement("span", { class: "expects" }, "Expect: ", createBadge(example.expects)),
      ),
    ),
  );
}

// Fills the list of examples. `onChoose` gets the example that was clicked.
export function showExamples(examples, onChoose) {
  fill($("examples"), examples.map((example) => createCard(example, onChoose)));
  const credits = [...new Set(examples.map((example) => example.credit).filter(Boolean))];
  $("credits").textContent = credits.length ? `Images: ${credits.join("; ")}.` : "";
}
