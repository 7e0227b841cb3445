// The badge of a decision: a sign, a colour and always the same words.

import { createElement } from "./dom.js";
import { DECISIONS } from "./names.js";

export const createBadge = (decision) =>
  createElement("span", { class: "badge", "data-decision": decision }, DECISIONS[decision]);

// Sets an existing badge to the state of a turn.
export function setBadge(badge, turn) {
  badge.dataset.decision = turn.state === "failed" && !turn.decision ? "failed" : (turn.decision ?? "waiting");
  badge.textContent = { waiting: "Judging …", failed: "No answer" }[badge.dataset.decision] ?? DECISIONS[turn.decision];
}
