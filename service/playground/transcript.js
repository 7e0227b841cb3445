// Shows a conversation, turn by turn, and keeps its newest words in view.

import { $, fill, show } from "./dom.js";
import { TurnView } from "./turnview.js";

const NEAR_THE_END = 160; // pixels

export class Transcript {
  #server;
  #handlers;
  #views = new Map();

  constructor(server, handlers) {
    this.#server = server;
    this.#handlers = handlers;
  }

  // Shows another conversation.
  showConversation(conversation) {
    this.#views.clear();
    fill($("turns"));
    for (const turn of conversation.turns) this.add(turn);
    show($("welcome"), !conversation.turns.length);
    show($("new"), conversation.turns.length > 0);
    scrollToEnd();
  }

  add(turn) {
    const view = new TurnView(turn, this.#server, this.#handlers);
    this.#views.set(turn, view);
    $("turns").append(view.element);
    show($("welcome"), false);
    show($("new"), true);
    scrollToEnd();
  }

  update(turn) {
    const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
    const isNearEnd = scrollHeight - clientHeight - scrollTop < NEAR_THE_END;
    this.#views.get(turn)?.update();
    if (isNearEnd && document.body.dataset.view === "conversation") scrollToEnd();
  }

  choose(turn) {
    for (const [each, view] of this.#views) view.setChosen(each === turn);
  }

  focusDetailsButton(turn) {
    this.#views.get(turn)?.details.focus();
  }
}

function scrollToEnd() {
  scrollTo(0, $("turns").childElementCount ? document.documentElement.scrollHeight : 0);
}
