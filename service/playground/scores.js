// Bars for the probabilities of the safety head, coloured by risk. Rows that would show 0.0 % are folded.

import { $, createElement, fill, show } from "./dom.js";
import { count, percent, roundsToZero } from "./format.js";
import { nameLevel, nameType, SURFACES } from "./names.js";

// How bad a probability of something harmful is.
const gradeShare = (share) => (share >= 0.5 ? "high" : share >= 0.1 ? "medium" : "low");

function gradeLevel(index, worst) {
  if (index === 0) return "none";
  if (index === worst) return "high";
  return index > 1 ? "medium" : "low";
}

export function showScores(risk, { levels, safe_type: safe }) {
  const types = Object.entries(risk.type_scores).map(([type, share]) => ({
    name: nameType(type), share, grade: type === safe ? "none" : gradeShare(share), isChosen: type === risk.type,
  }));
  fill($("types"), createBars(types, "type"));
  const rows = Object.entries(risk.level_scores).map(([level, share], index) => ({
    name: nameLevel(level), share, grade: gradeLevel(index, levels.length - 1), isChosen: level === risk.level.name,
  }));
  fill($("levels"), createBars(rows, "level"));
  fill($("surfaces"), createShares(SURFACES, risk.surfaces));
  show($("novelty"), Boolean(risk.novelty));
  if (risk.novelty) fill($("novelties"), createShares({ text: "Words", image: "Images" }, risk.novelty));
}

// Bars of named inputs that a request has; none is folded, because there are few and each says something.
function createShares(names, shares) {
  const present = Object.keys(names).filter((key) => typeof shares[key] === "number");
  return createList(present.map((key) => ({ name: names[key], share: shares[key], grade: gradeShare(shares[key]) })));
}

function createBars(rows, noun) {
  const isFolded = ({ share, isChosen }) => roundsToZero(share) && !isChosen;
  const folded = rows.filter(isFolded);
  return [
    createList(rows.filter((row) => !isFolded(row))),
    folded.length > 0 &&
      createElement(
        "details",
        { class: "folded" },
        createElement("summary", {}, `${count(folded.length, noun)} at 0 %`),
        createList(folded),
      ),
  ];
}

function createList(rows) {
  return createElement(
    "ul",
    { class: "bars" },
    rows.map(({ name, share, grade, isChosen }) =>
      createElement(
        "li",
        { class: isChosen && "chosen", "data-grade": grade },
        createElement("span", { class: "name" }, name),
        createElement(
          "span",
          { class: "track", "aria-hidden": "true" },
          createElement("span", { class: "fill", "--share": share }),
        ),
        createElement("span", { class: "value" }, percent(share)),
      ),
    ),
  );
}
