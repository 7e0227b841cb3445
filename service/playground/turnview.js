// Shows one turn of a conversation: the question, the answer with its decision, and what can be done with them.

import { setBadge } from "./badge.js";
import { copyText } from "./copying.js";
import { announce, createButton, createElement, createIcon, fill, show } from "./dom.js";
import { count } from "./format.js";
import { DECISIONS, describeRisk } from "./names.js";
import { createThumbnail } from "./images.js";
import { showRawReply } from "./rawreply.js";
import { showLink } from "./sharing.js";

const RATINGS = { up: "Good answer", down: "Bad answer" };

export class TurnView {
  #turn;
  #server;
  #badge = createElement("span", { class: "badge" });
  #risk = createElement("span", { class: "risk" });
  #words = createElement("p", { class: "words" });
  #note = createElement("p", { class: "hint" });
  #problem = createElement("p", { class: "problem" });
  #actions = createElement("div", { class: "turn-actions" });
  #ratings;
  #retry;
  #unguarded;
  #told;

  // `onChoose` shows the details of the turn; `onRetry` asks it again.
  constructor(turn, server, { onChoose, onRetry }) {
    this.#turn = turn;
    this.#server = server;
    this.#told = { decision: turn.decision, state: turn.state };
    this.#createActions(onChoose, onRetry);
    this.#unguarded = turn.unguarded && new UnguardedView(turn);
    this.element = createElement(
      "li",
      { class: "turn" },
      createQuestion(turn),
      createElement(
        "div",
        { class: turn.compares ? "answers compared" : "answers" },
        this.#unguarded?.element,
        this.#createAnswer(),
      ),
    );
    this.update();
  }

  #createAnswer() {
    return createElement(
      "article",
      { class: "answer", "aria-label": this.#turn.compares ? "With guard" : "Answer" },
      this.#turn.compares && createElement("p", { class: "side" }, "With guard"),
      createElement("p", { class: "answer-head" }, this.#badge, this.#risk),
      this.#words,
      this.#note,
      this.#problem,
      this.#actions,
    );
  }

  #createActions(onChoose, onRetry) {
    this.details = createButton({ class: "details-button", onclick: () => onChoose(this.#turn) }, "Details");
    this.#ratings = Object.entries(RATINGS).map(([rating, name]) => {
      const attributes = { class: "rate", "data-rating": rating, "aria-label": name, title: name };
      return createButton({ ...attributes, onclick: () => this.#rate(rating) }, createIcon(rating));
    });
    const copy = createButton(
      { class: "copy-reply", onclick: () => copyText(this.#turn.text, copy, this.#words) },
      "Copy",
    );
    const share = createButton({ class: "share", onclick: () => showLink(this.#turn) }, "Share");
    const raw = createButton({ class: "raw", onclick: () => showRawReply(this.#turn) }, "JSON");
    this.#retry = createButton({ class: "retry", onclick: () => onRetry(this.#turn) }, "Try again");
    fill(this.#actions, this.details, this.#ratings, this.#server.can_chat && copy, share, raw, this.#retry);
  }

  #rate(rating) {
    this.#turn.rating = this.#turn.rating === rating ? null : rating;
    announce(this.#turn.rating ? `Rated: ${RATINGS[rating]}` : "Rating removed");
    this.update();
  }

  setChosen(isChosen) {
    this.element.classList.toggle("chosen", isChosen);
    this.details.setAttribute("aria-pressed", String(isChosen));
  }

  // Shows the turn as it is now.
  update() {
    const { state, decision, risk, text, reply, problem, rating } = this.#turn;
    setBadge(this.#badge, this.#turn);
    this.element.dataset.state = state;
    this.#risk.textContent = risk ? describeRisk(risk, this.#server.levels) : "";
    if (this.#words.textContent !== text) this.#words.textContent = text;
    this.#words.setAttribute("aria-busy", String(state === "answering"));
    show(this.#words, text !== "" || state === "answering");
    this.#note.textContent = state === "done" ? describeReply(reply) : "";
    this.#problem.textContent = problem ?? "";
    show(this.#problem, Boolean(problem));
    show(this.#actions, state === "done" || state === "failed");
    for (const button of this.#actions.children) show(button, decision !== null);
    show(this.#retry, state === "failed");
    for (const button of this.#ratings) button.setAttribute("aria-pressed", String(button.dataset.rating === rating));
    this.#unguarded?.update();
    this.#announce();
  }

  #announce() {
    const { state, decision, risk, text, problem } = this.#turn;
    const told = this.#told;
    this.#told = { decision, state };
    if (state === "failed" && told.state !== "failed") announce(problem);
    else if (state === "done" && told.state !== "done" && text) announce(`${DECISIONS[decision]}: ${text}`);
    else if (decision && !told.decision) {
      announce(risk ? `${DECISIONS[decision]}. ${describeRisk(risk, this.#server.levels)}` : DECISIONS[decision]);
    }
  }
}

// The reply of the same model without the guard. It says so in words, beside its colour.
class UnguardedView {
  #turn;
  #words = createElement("p", { class: "words" });
  #note = createElement("p", { class: "hint" });
  #problem = createElement("p", { class: "problem" });

  constructor(turn) {
    this.#turn = turn;
    this.element = createElement(
      "article",
      { class: "answer unguarded", "aria-label": "Without guard" },
      createElement("p", { class: "side" }, "Without guard"),
      createElement("p", { class: "warning" }, "Unguarded: nothing was judged and nothing is held back."),
      this.#words,
      this.#note,
      this.#problem,
    );
  }

  update() {
    const { state, text, reply, problem } = this.#turn.unguarded;
    if (this.#words.textContent !== text) this.#words.textContent = text;
    this.#words.setAttribute("aria-busy", String(state === "waiting"));
    this.#note.textContent = reply?.usage ? countTokens(reply) : "";
    this.#problem.textContent = problem ?? "";
    show(this.#problem, Boolean(problem));
  }
}

function createQuestion({ prompt, images }) {
  return createElement(
    "div",
    { class: "asked" },
    createElement("span", { class: "unseen" }, "You asked:"),
    images.length > 0 && createElement("div", { class: "asked-images" }, images.map(createThumbnail)),
    prompt && createElement("p", {}, prompt),
  );
}

function describeReply(reply) {
  if (!reply) return "This server only judges; it gives no replies.";
  if (reply.decision === "refused") return "The language model did not run: a refusal needs no generated tokens.";
  if (reply.finish_reason === "content_filter") {
    return `Stopped: the reply became harmful while it was written (${countTokens(reply)}).`;
  }
  return countTokens(reply);
}

function countTokens(reply) {
  const tokens = count(reply.usage.completion_tokens, "token");
  return reply.finish_reason === "length" ? `${tokens}; the limit is reached.` : tokens;
}
