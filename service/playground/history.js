// The list of the session's conversations, to go back to one of them.

import { createBadge } from "./badge.js";
import { $, createButton, createElement, fill, openDialog } from "./dom.js";
import { count, formatTime } from "./format.js";
import { formatRatings, saveFile } from "./ratings.js";

function createItem(conversation, isCurrent, onChoose) {
  const decisions = [...new Set(conversation.turns.map((turn) => turn.decision).filter(Boolean))];
  return createElement(
    "li",
    {},
    createButton(
      { class: "past", "aria-current": isCurrent && "true", onclick: () => onChoose(conversation) },
      createElement("b", {}, conversation.title),
      createElement("span", { class: "hint" }, `${formatTime(conversation.startedAt)}, ${count(conversation.turns.length, "question")}`),
      createElement("span", { class: "badges" }, decisions.map(createBadge)),
    ),
  );
}

// Adds the listeners of the dialog. `onChoose` gets the conversation to show.
export function addHistory(session, onChoose) {
  const dialog = $("history");
  $("open-history").addEventListener("click", () => {
    const { asked, current } = session;
    const choose = (conversation) => {
      dialog.close();
      onChoose(conversation);
    };
    fill(
      $("conversations"),
      asked.length
        ? asked.map((each) => createItem(each, each === current, choose)).reverse()
        : createElement("li", { class: "hint" }, "No question yet."),
    );
    $("export").disabled = !asked.length;
    openDialog(dialog);
  });
  $("export").addEventListener("click", () =>
    saveFile("safevlm-ratings.jsonl", formatRatings(session.turns), "application/jsonl"),
  );
}
