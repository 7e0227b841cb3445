// Copies texts of the page to the clipboard.

import { $, announce } from "./dom.js";

const MARK_MS = 1500;

// Copies a text, and marks the button that asked for it. `shown` is the element that shows the text, if there is one:
// over plain HTTP from another machine there is no clipboard API, but what is selected can be copied with Ctrl+C.
export async function copyText(text, button, shown = null) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (shown) getSelection().selectAllChildren(shown);
    announce(shown ? "Selected for copying" : "The browser does not allow copying here");
    return;
  }
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, MARK_MS);
  announce("Copied");
}

// Every button with `data-copies` copies the element of this id, or the text that the element stands for.
export function addCopyListeners() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const shown = $(button.dataset.copies);
    copyText(shown.fullText ?? shown.textContent, button, shown);
  });
}
