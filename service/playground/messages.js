// Formats messages in OpenAI's format as JSON, which Python and JavaScript read unchanged. An image file is written by
// the caller's `formatFile`, because each language reads files in its own way. Pure functions.

const indent = (text, depth) => text.replaceAll("\n", `\n${" ".repeat(depth)}`);

export const formatImageUrl = (url) => `{"type": "image_url", "image_url": {"url": ${url}}}`;

// Formats the content of one message: a string, or parts if it has images.
export function formatContent({ content, images }, formatFile) {
  if (!images.length) return JSON.stringify(content);
  const parts = [
    ...(content ? [`{"type": "text", "text": ${JSON.stringify(content)}}`] : []),
    ...images.map((image) => (image.file ? formatFile(image.file) : formatImageUrl(JSON.stringify(image.url)))),
  ];
  return formatList(parts);
}

export const formatList = (items) => (items.length ? `[\n    ${items.map((item) => indent(item, 4)).join(",\n    ")}\n]` : "[]");

export const formatMessages = (messages, formatFile) =>
  formatList(messages.map((message) => `{"role": "${message.role}", "content": ${formatContent(message, formatFile)}}`));

// The options of a request by the names of OpenAI's format, those that it does not know apart.
export function splitOptions({ policy, language, ...known }) {
  const own = { policy, language };
  for (const name of Object.keys(own)) if (own[name] === undefined) delete own[name];
  return { known, own };
}
