// The tab with the chosen request as code to copy, for the public API.

import { formatCurl } from "./curl.js";
import { $, createButton, createElement, fill } from "./dom.js";
import { formatJavaScript } from "./javascript.js";
import { formatLangChain, formatOpenAI } from "./python.js";

const LANGUAGES = {
  curl: ["curl", formatCurl],
  openai: ["OpenAI, Python", formatOpenAI],
  javascript: ["OpenAI, JavaScript", formatJavaScript],
  langchain: ["LangChain, Python", formatLangChain],
};

const createSnippet = (id, name, code) =>
  createElement(
    "div",
    { class: "snippet" },
    createElement("h3", { id: `${id}-title` }, name),
    createButton({ class: "copy", "data-copies": id }, "Copy", createElement("span", { class: "unseen" }, ` ${name}`)),
    createElement("pre", { id, tabindex: "0", role: "group", "aria-labelledby": `${id}-title` }, code),
  );

// Shows a request: the messages that the model reads, and its options. `context` describes the server. Without replies
// there is only curl, because OpenAI's clients ask for a reply.
export function showSnippets(request, context) {
  const [question] = request.messages.slice(-1);
  const length = request.messages.length > 1 ? `, with the ${request.messages.length - 1} messages before it` : "";
  const files = request.messages.some((message) => message.images.some((image) => image.file));
  $("code-subject").textContent =
    `The chosen question${question.content ? ` “${question.content}”` : ""}${length}.` +
    (files ? " Images are read from the current folder, by their names." : "");
  const shown = Object.entries(LANGUAGES).filter(([id]) => context.canChat || id === "curl");
  fill($("snippets"), shown.map(([id, [name, format]]) => createSnippet(id, name, format(request, context))));
}
