// Links that carry a question and its options, and nothing else, in the fragment, which browsers do not send to servers.

import { stripCredentials } from "./api.js";
import { $, openDialog } from "./dom.js";

// Formats the link to this page with a question.
function formatLink({ prompt, options }) {
  const link = stripCredentials(new URL(location.href));
  link.hash = new URLSearchParams({ prompt, ...options }).toString();
  return link.href;
}

export function showLink(question) {
  $("share-link").textContent = formatLink(question);
  openDialog($("share"));
}

// Reads the question of a link, and removes it from the address, which would not follow what is typed; null if there is
// none.
export function takeQuestion() {
  const { prompt, ...options } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (prompt === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return { prompt, options };
}
