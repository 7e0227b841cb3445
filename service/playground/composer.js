// The form for the next question: its words, its images and its options.

import { addCamera } from "./camera.js";
import { $, createElement, fill, show } from "./dom.js";
import { Images } from "./images.js";
import { Turn } from "./session.js";

const OPTIONS = ["max_tokens", "temperature", "seed", "language", "policy"];

export class Composer {
  #images;
  #remembers;
  #maxMessages;
  #listEarlier;

  // `listEarlier` lists the turns that are sent again with the next question; `onAsk` gets each new turn.
  constructor(server, { listEarlier, onAsk, onStop }) {
    this.#remembers = server.can_chat;
    this.#maxMessages = server.max_messages;
    this.#listEarlier = listEarlier;
    this.#describeServer(server);
    this.#images = new Images({
      limit: server.max_images,
      allowsAddresses: server.image_urls,
      countEarlier: () => listEarlier().reduce((sum, turn) => sum + turn.images.length, 0),
      showProblem: (message) => this.showProblem(message),
    });
    addCamera((files) => this.#images.addFiles(files), (message) => this.showProblem(message));
    this.#addListeners(onAsk, onStop);
  }

  #describeServer(server) {
    const { elements } = $("ask");
    elements.max_tokens.max = server.max_tokens;
    fill(
      elements.policy,
      server.policies.map(({ name }, index) => createElement("option", { value: index ? name : "" }, name)),
    );
    show($("policy-field"), server.policies.length > 1);
    for (const name of ["max_tokens", "temperature", "seed"]) show(elements[name].closest("label"), server.can_chat);
    show($("compare-field"), server.compares);
    if (!server.can_chat) $("send").textContent = "Judge";
  }

  #addListeners(onAsk, onStop) {
    const ask = (event) => {
      event.preventDefault();
      if (this.isBusy || !this.#images.addAddress()) return;
      if (this.#check()) onAsk(this.#takeTurn());
    };
    $("ask").addEventListener("submit", ask);
    // A field that the browser complains about must be visible.
    $("ask").addEventListener("invalid", ({ target }) => this.#open(target.closest("#options, #address").id, true), true);
    $("ask").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
    });
    $("stop").addEventListener("click", onStop);
    $("open-options").addEventListener("click", () => this.#open("options", $("options").hidden));
    $("open-address").addEventListener("click", () => {
      this.#open("address", $("address").hidden);
      $("address-field").focus(); // nothing happens where it is hidden
    });
  }

  #open(panel, isOpen) {
    show($(panel), isOpen);
    $(`open-${panel}`).setAttribute("aria-expanded", String(isOpen));
  }

  // A question needs words or an image, and must fit into the conversation.
  #check() {
    const isEmpty = !$("prompt").value.trim() && !this.#images.count;
    const isTooLong = this.#remembers && 2 * this.#listEarlier().length + 1 > this.#maxMessages;
    this.showProblem(
      isEmpty
        ? "Write a question or add an image."
        : isTooLong
          ? `A conversation may have at most ${this.#maxMessages} messages. Start a new one.`
          : null,
    );
    return !isEmpty && !isTooLong;
  }

  #takeTurn() {
    const turn = new Turn({
      prompt: $("prompt").value,
      images: this.#images.take(),
      options: this.options,
      compares: $("compare").checked && !$("compare-field").hidden,
    });
    $("prompt").value = "";
    show($("shared"), false);
    return turn;
  }

  get prompt() {
    return $("prompt").value;
  }

  // The options that differ from the server's defaults.
  get options() {
    const options = {};
    for (const name of OPTIONS) {
      const field = $("ask").elements[name];
      if (field.value !== "") options[name] = field.type === "number" ? Number(field.value) : field.value;
    }
    return options;
  }

  // Fills in a question that a link brought. Values that a field does not accept are left out.
  fillIn({ prompt, options }) {
    $("prompt").value = prompt;
    for (const name of OPTIONS) {
      const field = $("ask").elements[name];
      field.value = options[name] ?? "";
      if (!field.validity.valid || field.selectedIndex === -1) field.value = "";
    }
    if (Object.keys(this.options).length) this.#open("options", true);
    show($("shared"), true);
    $("shared").textContent = "A link brought this question. Read it before you send it. Links carry no images.";
    $("prompt").focus();
  }

  showProblem(message) {
    $("problem").textContent = message ?? "";
    show($("problem"), Boolean(message));
  }

  get isBusy() {
    return !$("stop").hidden;
  }

  // While a question is being answered, the next one can be written, but not sent.
  setBusy(isBusy) {
    const hadFocus = document.activeElement === $("stop");
    show($("stop"), isBusy);
    $("send").setAttribute("aria-disabled", String(isBusy));
    if (hadFocus && !isBusy) $("send").focus();
  }
}
