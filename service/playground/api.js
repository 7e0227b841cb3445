// Paths of the server, relative to the URL of this file, because a proxy may serve everything under a prefix.

// Without the user name and the password, which may be an API key: browsers send them anyway, and fetch() rejects them.
export const SERVER = stripCredentials(new URL("..", import.meta.url)).href.replace(/\/$/, "");

export function stripCredentials(url) {
  url.username = "";
  url.password = "";
  return url;
}

class ApiError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

async function requireOk(response) {
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const error = body?.error ?? { message: `The server answered ${response.status}.`, code: String(response.status) };
  const wait = response.headers.get("Retry-After");
  throw new ApiError(wait ? `${error.message} Try again in ${wait} s.` : error.message, error.code);
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(SERVER + path, { ...options, redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached.", "unreachable");
  }
  return requireOk(response);
}

export const fetchServerDescription = async () => (await send("/playground/about")).json();

export const getExampleUrl = (file) => `${SERVER}/playground/examples/${encodeURIComponent(file)}`;

export async function fetchExample(file) {
  const blob = await (await send(`/playground/examples/${encodeURIComponent(file)}`)).blob();
  return new File([blob], file, { type: blob.type });
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The connection to the server was lost.", "cut_off");
  }
}

// Yields the events of a reply as they arrive: ["assessment" | "delta" | "done", data]. An `error` event is thrown.
async function* streamEvents(path, body, signal) {
  const response = await send(path, { method: "POST", body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let finished = false;
  for (;;) {
    const { value, done } = await read(reader);
    if (done) break;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [name, data] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
      const content = JSON.parse(data);
      if (name === "error") throw new ApiError(content.error.message, content.error.code);
      finished ||= name === "done";
      yield [name, content];
    }
  }
  if (!finished) throw new ApiError("The reply ended too early.", "cut_off");
}

export const streamChat = (body, signal) => streamEvents("/playground/chat", body, signal);

// What the model replies without the guard; the server has this path only where its operator allows the comparison.
export const streamUnguarded = (body, signal) => streamEvents("/playground/unguarded", body, signal);

// Fetches the explanation of a decision. Right after the chat, the verdict is still in the server's cache.
export async function fetchJudgement(body, signal) {
  return (await send("/playground/judgement", { method: "POST", body, signal })).json();
}

// `requests` are judged requests, of which only their scores are sent.
export async function fetchDecisions(policy, changes, requests) {
  const scores = { requests: requests.map(({ views }) => views), novelties: requests.map(({ novelty }) => novelty) };
  const body = JSON.stringify({ policy, changes, ...scores });
  const headers = { "Content-Type": "application/json" };
  return (await (await send("/playground/decisions", { method: "POST", body, headers })).json()).decisions;
}

// A sentence about an error, for people.
export function formatError(error) {
  if (error.name === "AbortError") return "Stopped.";
  if (error instanceof ApiError) return error.message;
  console.error(error);
  return "An error occurred in this page.";
}
