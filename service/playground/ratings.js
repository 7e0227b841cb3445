// The session as JSON Lines: what was asked, what was decided, and how it was rated. No image, no reply.

import { createElement } from "./dom.js";

const formatTurn = ({ time, prompt, decision, risk, rating }) =>
  JSON.stringify({
    time: time.toISOString(),
    prompt,
    decision,
    risk: risk && { type: risk.type, level: risk.level.index },
    rating,
  });

export const formatRatings = (turns) => turns.filter((turn) => turn.decision).map((turn) => `${formatTurn(turn)}\n`).join("");

// Saves a text as a file of the visitor.
export function saveFile(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  createElement("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}
