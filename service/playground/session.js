// The session: conversations, their turns, and what the server said about them. It lives in this page's memory and ends
// with the tab. Knows no element of the page and no path of the server.

// An image of a question: a file, or the address of an image that the server fetches.
export class ChosenImage {
  #source = null;

  constructor({ file = null, url = null, alt = null }) {
    this.file = file;
    this.url = url;
    this.name = file ? file.name : url;
    this.alt = alt ?? this.name;
  }

  // URL under which the page shows the file; null for an address, because the page loads nothing from other sites.
  // It is never revoked, because every conversation of the session can be shown again.
  get source() {
    if (this.file) this.#source ??= URL.createObjectURL(this.file);
    return this.#source;
  }
}

// One question and the answer to it.
export class Turn {
  constructor({ prompt, images, options, expects = null, compares = false }) {
    this.prompt = prompt;
    this.images = images;
    this.options = options;
    this.expects = expects;
    this.compares = compares;
    this.time = new Date();
    this.rating = null;
    this.reset();
  }

  // Forgets the answer, before the question is asked again.
  reset() {
    this.state = "waiting"; // then "answering", and at last "done" or "failed"
    this.decision = null;
    this.risk = null;
    this.text = "";
    this.reply = null;
    this.judgement = null;
    this.problem = null;
    this.explanationProblem = null;
    this.unguarded = this.compares ? { state: "waiting", text: "", reply: null, problem: null } : null;
  }
}

class Conversation {
  turns = [];
  startedAt = new Date();
  #remembers;

  constructor(remembers) {
    this.#remembers = remembers;
  }

  get title() {
    const [first] = this.turns;
    return first.prompt || `About ${first.images.map((image) => image.name).join(", ")}`;
  }

  // The turns that are read together with a turn, or with the next one: the earlier ones that were answered.
  listEarlier(turn = null) {
    if (!this.#remembers) return [];
    const earlier = turn ? this.turns.slice(0, this.turns.indexOf(turn)) : this.turns;
    return earlier.filter((each) => each.state === "done");
  }

  // The images that are judged with a turn, in the order of the messages.
  listImages(turn) {
    return [...this.listEarlier(turn), turn].flatMap((each) => each.images);
  }
}

export class Session {
  conversations = [];
  current = null;
  #remembers;

  // `remembers`: whether earlier turns are sent again. A server that only judges reads each question alone.
  constructor(remembers) {
    this.#remembers = remembers;
    this.startConversation();
  }

  // Starts an empty conversation, unless there is one.
  startConversation() {
    let empty = this.conversations.find((each) => !each.turns.length);
    if (!empty) this.conversations.push((empty = new Conversation(this.#remembers)));
    this.current = empty;
  }

  get asked() {
    return this.conversations.filter((each) => each.turns.length);
  }

  get turns() {
    return this.conversations.flatMap((each) => each.turns);
  }
}
