// Starts the page. Nothing is stored: a session ends with its tab.

import { fetchServerDescription, formatError, SERVER } from "./api.js";
import { addCopyListeners } from "./copying.js";
import { $, createElement, fill, show } from "./dom.js";
import { Page } from "./page.js";
import { addTabListeners } from "./tabs.js";

function describeServer({ model, description, version, links, fallback, is_miniature: isMiniature, can_chat: canChat }) {
  fill($("model"), model, createElement("small", {}, ` ${version}`));
  $("fitness").textContent = description;
  $("fitness").classList.toggle("miniature", isMiniature);
  $("welcome-text").textContent = canChat
    ? "Ask about your own image, or begin with an example. The guard judges each question before the model reads it."
    : "This server only judges. Try your own image, or begin with an example; there is a verdict, and no reply.";
  const pages = { Docs: links.docs, "Model card": links.model_card };
  fill(
    $("links"),
    Object.entries(pages).map(([name, path]) => path && createElement("a", { href: `${SERVER}/${path}` }, name)),
  );
  if (!fallback) return;
  $("fallback").textContent = `${model} is served instead of ${fallback.wanted}. ${fallback.reason}`;
  show($("fallback"), true);
}

async function start() {
  let server;
  try {
    server = await fetchServerDescription();
  } catch (error) {
    $("startup-problem").textContent = formatError(error);
    show($("startup-problem"), true);
    return;
  }
  describeServer(server);
  new Page(server);
  addTabListeners();
  addCopyListeners();
  document.body.dataset.ready = "";
}

start();
