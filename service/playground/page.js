// The page at work: which conversation and which turn are shown, and which question is being asked.

import { fetchExample, formatError, SERVER } from "./api.js";
import { runTurn } from "./asking.js";
import { Composer } from "./composer.js";
import { Details } from "./details.js";
import { $, show } from "./dom.js";
import { showExamples } from "./examples.js";
import { addHistory } from "./history.js";
import { PolicyTrial } from "./policy.js";
import { listMessages } from "./request.js";
import { ChosenImage, Session, Turn } from "./session.js";
import { takeQuestion } from "./sharing.js";
import { showSnippets } from "./snippets.js";
import { selectTab } from "./tabs.js";
import { Transcript } from "./transcript.js";

const isNarrow = () => matchMedia("(max-width: 62rem)").matches;

export class Page {
  #server;
  #session;
  #transcript;
  #details;
  #composer;
  #trial;
  #chosen = null;
  #running = null;

  constructor(server) {
    this.#server = server;
    this.#session = new Session(server.can_chat);
    this.#details = new Details(server);
    this.#transcript = new Transcript(server, {
      onChoose: (turn) => this.#openDetails(turn),
      onRetry: (turn) => this.#retry(turn),
    });
    this.#composer = new Composer(server, {
      listEarlier: () => this.#session.current.listEarlier(),
      onAsk: (turn) => this.#ask(turn),
      onStop: () => this.#stop(),
    });
    this.#trial = server.exposes_risk && server.policies.length ? new PolicyTrial(server) : null;
    show($("tab-policy"), Boolean(this.#trial));
    showExamples(server.examples, (example) => this.#askExample(example));
    addHistory(this.#session, (conversation) => this.#showConversation(conversation));
    this.#addListeners();
    this.#showConversation(this.#session.current);
    this.#fillInSharedQuestion();
  }

  #addListeners() {
    $("new").addEventListener("click", () => {
      this.#startConversation();
      $("prompt").focus();
    });
    $("back").addEventListener("click", () => this.#closeDetails());
    $("tab-code").addEventListener("chosen", () => this.#showCode());
    addEventListener("hashchange", () => this.#fillInSharedQuestion());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
      if (this.#running) this.#stop();
      else if (document.body.dataset.view === "details") this.#closeDetails();
    });
  }

  #startConversation() {
    this.#session.startConversation();
    this.#showConversation(this.#session.current);
  }

  #showConversation(conversation) {
    this.#stop();
    this.#session.current = conversation;
    document.body.dataset.view = "conversation";
    this.#transcript.showConversation(conversation);
    this.#choose(conversation.turns.at(-1) ?? null);
  }

  #choose(turn) {
    this.#chosen = turn;
    this.#transcript.choose(turn);
    this.#showDetails();
    $("details").scrollTop = 0;
  }

  #showDetails() {
    const turn = this.#chosen;
    this.#details.showTurn(turn, turn ? this.#session.current.listImages(turn) : []);
  }

  // On a small screen the details take the conversation's place; on a large one, both are there.
  #openDetails(turn) {
    this.#choose(turn);
    document.body.dataset.view = "details";
    if (isNarrow()) scrollTo(0, 0);
    $("details-title").focus({ preventScroll: true });
  }

  #closeDetails() {
    document.body.dataset.view = "conversation";
    this.#transcript.focusDetailsButton(this.#chosen);
  }

  async #askExample(example) {
    try {
      const images = example.file ? [new ChosenImage({ file: await fetchExample(example.file), alt: example.alt })] : [];
      this.#startConversation();
      const { prompt, expects } = example;
      this.#ask(new Turn({ prompt, images, options: this.#composer.options, expects, compares: $("compare").checked }));
    } catch (error) {
      this.#composer.showProblem(formatError(error));
    }
  }

  #ask(turn) {
    selectTab($("tab-ask"));
    document.body.dataset.view = "conversation";
    this.#session.current.turns.push(turn);
    this.#transcript.add(turn);
    this.#run(turn);
  }

  #retry(turn) {
    if (this.#running) return;
    turn.reset();
    this.#transcript.update(turn);
    this.#run(turn);
  }

  async #run(turn) {
    const conversation = this.#session.current;
    const running = (this.#running = new AbortController());
    this.#composer.setBusy(true);
    this.#choose(turn);
    await runTurn(this.#server, conversation, turn, running.signal, () => {
      this.#transcript.update(turn);
      if (turn === this.#chosen) this.#showDetails();
    });
    if (turn.judgement?.why) this.#trial?.add(turn);
    if (running !== this.#running) return;
    this.#running = null;
    this.#composer.setBusy(false);
  }

  #stop() {
    this.#running?.abort();
  }

  // The chosen turn as code; before the first one, what stands in the form.
  #showCode() {
    const turn = this.#chosen ?? new Turn({ prompt: this.#composer.prompt, images: [], options: this.#composer.options });
    const messages = listMessages([...this.#session.current.listEarlier(this.#chosen), turn]);
    const { model, wants_key: wantsKey, can_chat: canChat } = this.#server;
    showSnippets({ messages, options: turn.options }, { origin: SERVER, model, wantsKey, canChat });
  }

  #fillInSharedQuestion() {
    const question = takeQuestion();
    if (!question) return;
    this.#startConversation();
    this.#composer.fillIn(question);
  }
}
