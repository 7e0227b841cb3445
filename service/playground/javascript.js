// Formats a request for OpenAI's client in JavaScript, to run with Node. JSON is valid JavaScript.

import { formatImageUrl, formatMessages } from "./messages.js";

const READ_IMAGE = [
  "",
  "const readImage = async (path, kind) => {",
  '    const data = await readFile(path, "base64");',
  `    return ${formatImageUrl("`data:${kind};base64,${data}`")};`,
  "};",
];

const formatFile = (file) => `await readImage(${JSON.stringify(file.name)}, ${JSON.stringify(file.type)})`;

export function formatJavaScript({ messages, options }, { origin, model, wantsKey }) {
  const hasFiles = messages.some(({ images }) => images.some((image) => image.file));
  const key = wantsKey ? "process.env.SAFEVLM_API_KEY" : '"none"';
  const fields = Object.entries({ model, ...options }).map(([name, value]) => `    ${name}: ${JSON.stringify(value)},`);
  return [
    ...(hasFiles ? ['import { readFile } from "node:fs/promises";'] : []),
    'import OpenAI from "openai";',
    ...(hasFiles ? READ_IMAGE : []),
    "",
    `const client = new OpenAI({ baseURL: ${JSON.stringify(`${origin}/v1`)}, apiKey: ${key} });`,
    "const completion = await client.chat.completions.create({",
    ...fields,
    `    messages: ${formatMessages(messages, formatFile).replaceAll("\n", "\n    ")},`,
    "});",
    "const { refusal, content } = completion.choices[0].message;",
    "console.log(refusal ?? content);",
  ].join("\n");
}
