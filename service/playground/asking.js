// Asks one question: sends it, and writes into the turn what arrives. Knows no element of the page.

import { fetchJudgement, formatError, streamChat, streamUnguarded } from "./api.js";
import { buildForm, listMessages } from "./request.js";

// Runs a turn of a conversation to its end. `update` is called after each change. Nothing is thrown: problems are
// written into the turn.
export async function runTurn(server, conversation, turn, signal, update) {
  const turns = [...conversation.listEarlier(turn), turn];
  const messages = listMessages(turns);
  const replies = [server.can_chat ? answer(server, messages, turn, signal, update) : judge(messages, turn, signal)];
  if (turn.unguarded) replies.push(answerUnguarded(turns, turn, signal, update));
  await Promise.all(replies);
  update();
}

async function answer(server, messages, turn, signal, update) {
  try {
    for await (const [name, data] of streamChat(buildForm(messages, { ...turn.options, stream: true, explain: true }), signal)) {
      if (name === "assessment") Object.assign(turn, { state: "answering", decision: data.decision, risk: data.risk ?? null });
      else if (name === "delta") turn.text += data.content ?? data.refusal ?? "";
      else if (name === "done") finish(turn, data);
      update();
    }
  } catch (error) {
    fail(turn, error);
    return;
  }
  if (server.exposes_risk) await explain(messages, turn, signal);
}

function finish(turn, reply) {
  Object.assign(turn, { state: "done", reply, decision: reply.decision, text: reply.refusal ?? reply.content ?? "" });
}

function fail(turn, error) {
  Object.assign(turn, { state: "failed", problem: formatError(error) });
}

// A reply without its explanation is still a reply. A decision without a risk was made without a verdict.
async function explain(messages, turn, signal) {
  try {
    turn.judgement = await fetchJudgement(buildForm(messages, turn.options), signal);
  } catch (error) {
    const cause = turn.risk
      ? "This decision could not be explained."
      : "The guard reached no verdict, and what cannot be judged is not answered.";
    turn.explanationProblem = `${cause} ${formatError(error)}`;
  }
}

async function judge(messages, turn, signal) {
  try {
    const judgement = await fetchJudgement(buildForm(messages, turn.options), signal);
    Object.assign(turn, { state: "done", judgement, decision: judgement.decision, risk: judgement.risk ?? null });
  } catch (error) {
    fail(turn, error);
  }
}

// The bare model continues its own conversation, as it would if there were no guard.
async function answerUnguarded(turns, turn, signal, update) {
  const { unguarded } = turn;
  const messages = listMessages(turns, (earlier) => earlier.unguarded?.text || earlier.text);
  try {
    for await (const [name, data] of streamUnguarded(buildForm(messages, { ...turn.options, stream: true }), signal)) {
      if (name === "delta") unguarded.text += data.content;
      else if (name === "done") Object.assign(unguarded, { state: "done", reply: data, text: data.content });
      update();
    }
  } catch (error) {
    Object.assign(unguarded, { state: "failed", problem: formatError(error) });
  }
}
