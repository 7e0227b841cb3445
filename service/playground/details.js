// Everything that is known about the chosen turn: decision, explanation, images, probabilities and times.

import { setBadge } from "./badge.js";
import { $, show } from "./dom.js";
import { addOpacitySlider, showMaps } from "./maps.js";
import { DECISIONS, describeRisk } from "./names.js";
import { showScores } from "./scores.js";
import { showTimings } from "./timings.js";
import { showExplanation } from "./why.js";

export class Details {
  #server;
  #drawn = new Map();

  constructor(server) {
    this.#server = server;
    addOpacitySlider();
  }

  // Shows a turn, or what verdicts there are if there is none. `images` are those that were judged with the turn.
  showTurn(turn, images = []) {
    show($("nothing"), !turn);
    show($("verdict"), Boolean(turn));
    if (turn) this.#showVerdict(turn);
    const { risk, judgement, reply } = turn ?? {};
    this.#drawPart("why", judgement?.why, (why) => showExplanation(why, turn, this.#server));
    this.#drawPart("attention", images.length ? judgement?.images : null, () => showMaps(images, judgement));
    this.#drawPart("scores", risk, () => showScores(risk, this.#server));
    this.#drawPart("time", reply?.timings ?? judgement?.timings, showTimings);
  }

  // Draws a part once for each source, because words arrive often, and what is open in a part should stay open. Without
  // a source, the part is hidden.
  #drawPart(part, source, draw) {
    show($(part), Boolean(source));
    if (!source || this.#drawn.get(part) === source) return;
    this.#drawn.set(part, source);
    draw(source);
  }

  #showVerdict(turn) {
    const { prompt, risk, decision, expects, state, explanationProblem } = turn;
    $("question").textContent = prompt;
    setBadge($("decision"), turn);
    $("risk").textContent = risk ? describeRisk(risk, this.#server.levels) : (turn.problem ?? "");
    const outcome = decision === expects ? "decided as expected" : `expected: ${DECISIONS[expects]}`;
    $("expectation").textContent = expects && decision ? `Example, ${outcome}.` : "";
    $("explanation-problem").textContent = explanationProblem ?? "";
    show($("explanation-problem"), Boolean(explanationProblem));
    show($("scores-hidden"), !this.#server.exposes_risk && state === "done");
  }
}
