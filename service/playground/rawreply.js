// The server's own words about a turn, as JSON in a dialog.

import { $, openDialog } from "./dom.js";

const MOST_CHARACTERS = 64;

const shorten = (name, value) =>
  typeof value === "string" && value.startsWith("data:") ? `${value.slice(0, MOST_CHARACTERS)}… (${value.length} characters)` : value;

export function showRawReply({ reply, judgement, unguarded }) {
  const whole = { reply, judgement, ...(unguarded ? { unguarded: unguarded.reply } : {}) };
  $("raw-json").textContent = JSON.stringify(whole, shorten, 2);
  $("raw-json").fullText = JSON.stringify(whole, null, 2);
  openDialog($("raw"));
}
