// The session's requests with the decisions of the policy in force and of the one that is tried.

import { createBadge } from "./badge.js";
import { $, createElement, createRow, fill } from "./dom.js";
import { createThumbnail } from "./images.js";
import { mentionType } from "./names.js";

// `found` are the decisions of the policy that is tried, in the order of the requests.
export function showDecisions(requests, found) {
  const numChanged = requests.filter(({ decision }, index) => decision !== found[index].decision).length;
  $("change-count").textContent = `${numChanged} of ${requests.length} decisions would change`;
  $("change-count").dataset.any = String(numChanged > 0);
  fill(
    $("session"),
    createElement("thead", {}, createRow(["Images", "Question", "Decision", "With this policy"])),
    createElement("tbody", {}, requests.map((request, index) => createDecisionRow(request, found[index])).reverse()),
  );
}

function createDecisionRow({ prompt, images, decision }, { decision: other, type, level, reason }) {
  const isChanged = other !== decision;
  const risk = level ? `${mentionType(type)}, level ${level}` : "no level is reached";
  const cause = reason === "novel" ? "unlike what the model was trained on" : risk;
  return createElement(
    "tr",
    { class: isChanged && "changed" },
    createElement("td", { class: "small" }, images.length ? images.map(createThumbnail) : "none"),
    createElement("td", { class: "prompt" }, prompt),
    createElement("td", {}, createBadge(decision)),
    createElement("td", {}, createBadge(other), createElement("small", {}, `${isChanged ? "changes: " : ""}${cause}`)),
  );
}
