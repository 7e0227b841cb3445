// Explains a decision in sentences that agree with it, and by the rules of the policy.

import { $, createElement, createRow, fill, show } from "./dom.js";
import { count, join, precise, precisePercent } from "./format.js";
import { ACTIONS, DECISIONS, mentionLevel, mentionType, nameView } from "./names.js";

// Said in place of the view that decided, because views are named by the images of the remaining conversation.
const LEFT_OUT =
  "Earlier messages that were refused, and their answers, are left out: this verdict is about the rest, and the model read nothing else.";

export function showExplanation(why, turn, server) {
  fill($("why-sentences"), listSentences(why, turn, server).map((sentence) => createElement("p", {}, sentence)));
  const deciding = findDecidingRule(why);
  fill(
    $("why-rules"),
    createElement("thead", {}, createRow(["Level", "Probability of it or worse", "Threshold", "Action"])),
    createElement("tbody", {}, why.rules.map((rule) => createRuleRow(why, rule, rule === deciding))),
  );
  show($("why-details"), why.rules.length > 0);
}

// The highest reached level determines the action, unless the novelty of the request has a more severe one.
function findDecidingRule({ reason, rules }) {
  if (reason === "novel") return null;
  return rules.filter((rule) => rule.reached).toSorted((one, other) => other.level - one.level)[0] ?? null;
}

function createRuleRow(why, rule, isDeciding) {
  const effect = isInForce(why) ? "decides" : "would decide";
  const action = isDeciding ? `${ACTIONS[rule.action]} (${effect})` : rule.reached ? "reached" : "not reached";
  return createElement(
    "tr",
    { class: isDeciding && "acts" },
    createElement("th", { scope: "row" }, `${rule.level} ${mentionLevel(rule.name)}`),
    [precise(rule.belief), precise(rule.threshold), action].map((text) => createElement("td", {}, text)),
  );
}

// In shadow mode nothing is enforced; the decision of the policy is only recorded.
const isInForce = (why) => why.policy.mode !== "shadow";

function listSentences(why, turn, server) {
  const sentences = isInForce(why) ? [`${DECISIONS[why.decision]}, ${giveReason(why)}`] : describeShadow(why);
  if (turn.reply?.finish_reason === "content_filter" && !turn.reply.refusal) {
    sentences.push("The reply was stopped later, because it became harmful while it was written.");
  }
  if (why.dropped_messages) sentences.push(LEFT_OUT);
  else if (why.decided_by && findDecidingRule(why)) sentences.push(describeView(why));
  if (why.readings > 1) {
    sentences.push(`The words were judged in ${why.readings} variants, because words can be disguised.`);
  }
  const others = Object.entries(why.others).map(([name, decision]) => `${name}: ${DECISIONS[decision]}`);
  if (others.length) sentences.push(`Policies that only watch decided: ${join(others)}.`);
  if (why.off.length) sentences.push(`This policy ignores ${join(why.off.map(mentionType))}.`);
  if (server.policies.length > 1) sentences.push(`The policy was ${why.policy.name}.`);
  return sentences;
}

function describeShadow(why) {
  const { name, decision } = why.policy;
  return [
    `${DECISIONS[why.decision]}, because the policy ${name} is in shadow mode: its decisions are recorded and have no effect.`,
    `In force, it would have decided: ${DECISIONS[decision]}, ${giveReason(why)}`,
  ];
}

function giveReason(why) {
  if (why.reason === "novel") return giveNovelty(why.novelty);
  const rule = findDecidingRule(why);
  if (!rule) return `because no threshold was reached.${describeClosest(why)}`;
  const risk = `${mentionLevel(rule.name)} of ${mentionType(why.type)}`;
  const allows = rule.action === "allow" ? " The policy allows this." : "";
  return (
    `because ${risk} has a probability of ${precisePercent(rule.belief)}, ` +
    `which reaches its threshold of ${precisePercent(rule.threshold)}.${allows}`
  );
}

const giveNovelty = ({ score, threshold }) =>
  `because the request is unlike what the model was trained on: ${precisePercent(score)} reaches the threshold of ${precisePercent(threshold)}.`;

function describeClosest(why) {
  const [closest] = why.rules.toSorted((one, other) => other.belief / other.threshold - one.belief / one.threshold);
  if (!closest) return "";
  const risk = `${mentionLevel(closest.name)} of ${mentionType(why.type)}`;
  return ` The closest was ${risk}: ${precisePercent(closest.belief)}, with a threshold of ${precisePercent(closest.threshold)}.`;
}

function describeView(why) {
  const seen = [...new Set(why.views.filter((view) => view.decides).map((view) => view.view))];
  const worst = seen.length > 1 ? `, the worst of ${count(seen.length, "view")}` : "";
  return `Decided by ${nameView(why.decided_by.view)}${worst}.`;
}
