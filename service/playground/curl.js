// Formats a request for curl. Pure functions; a shell must reproduce the user's input unchanged.

import { formatImageUrl, formatMessages } from "./messages.js";

const MARK = "\u0000"; // stands in no JSON text, because JSON escapes it

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const formatKey = ({ wantsKey }) => (wantsKey ? ['-H "Authorization: Bearer $SAFEVLM_API_KEY"'] : []);

// One question with files is a form; everything else is JSON.
export function formatCurl({ messages, options }, context) {
  const [message] = messages;
  if (messages.length === 1 && message.images.every((image) => image.file)) return formatForm(message, options, context);
  return context.canChat ? formatCompletion(messages, options, context) : formatClassification(message, options, context);
}

// curl interprets quotes and backslashes in a file name.
const formatFilePart = ({ file }) => quote(`image=@"${file.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);

function formatForm({ content, images }, options, context) {
  const fields = Object.entries({ ...(content ? { prompt: content } : {}), ...options });
  return [
    `curl -s ${context.origin}${context.canChat ? "/v1/chat" : "/v1/classify"}`,
    ...formatKey(context),
    ...images.map((image) => `-F ${formatFilePart(image)}`),
    ...fields.map(([name, value]) => `--form-string ${quote(`${name}=${value}`)}`),
  ].join(" \\\n  ");
}

// The address of a file as data, with a mark for the data, which only the shell can read.
const formatDataUrl = (file) => `"data:${file.type};base64,${MARK}"`;

const formatFields = (fields) => Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);

function formatCompletion(messages, options, context) {
  const fields = formatFields({ model: context.model, ...options });
  const json = `{${fields.join(", ")}, "messages": ${formatMessages(messages, (file) => formatImageUrl(formatDataUrl(file)))}}`;
  return formatJsonRequest("/v1/chat/completions", json, messages.flatMap(({ images }) => images), context);
}

function formatClassification({ content, images }, options, context) {
  const fields = formatFields({ ...(content ? { prompt: content } : {}), ...options });
  const list = images.map((image) => (image.file ? formatDataUrl(image.file) : JSON.stringify(image.url)));
  return formatJsonRequest("/v1/classify", `{${[...fields, `"images": [${list.join(", ")}]`].join(", ")}}`, images, context);
}

// Sends JSON in which each mark stands for the data of the next file.
function formatJsonRequest(path, json, images, context) {
  const names = images.filter((image) => image.file).map((image) => image.file.name);
  const send = [`curl -s ${context.origin}${path}`, ...formatKey(context), "-H 'Content-Type: application/json'"];
  if (!names.length) return [...send, `--data-raw ${quote(json)}`].join(" \\\n  ");
  const [first, ...others] = json.split(MARK);
  const parts = others.flatMap((text, index) => [`base64 < ${quote(names[index])} | tr -d '\\n'`, `printf %s ${quote(text)}`]);
  return [`{ printf %s ${quote(first)}`, ...parts].join("\n  ") + `\n} | ${[...send, "--data-binary @-"].join(" \\\n  ")}`;
}
