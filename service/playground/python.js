// Formats a request for Python, with OpenAI's client and with LangChain. JSON strings and numbers are valid Python.

import { formatContent, formatImageUrl, formatList, formatMessages, splitOptions } from "./messages.js";

const READ_IMAGE = [
  "",
  "",
  "def read_image(path, kind):",
  '    data = base64.b64encode(Path(path).read_bytes()).decode()',
  `    return ${formatImageUrl('f"data:{kind};base64,{data}"')}`,
  "",
];

const formatFile = (file) => `read_image(${JSON.stringify(file.name)}, ${JSON.stringify(file.type)})`;

const hasFiles = (messages) => messages.some(({ images }) => images.some((image) => image.file));

const formatValue = (value) => JSON.stringify(value);

// The arguments of a client, and those of a call with options that OpenAI's format does not know in `extra_body`.
function formatArguments(options, { origin, model, wantsKey }) {
  const { known, own } = splitOptions(options);
  const extra = Object.entries(own).map(([name, value]) => `${formatValue(name)}: ${formatValue(value)}`);
  return {
    client: [`base_url=${formatValue(`${origin}/v1`)}`, wantsKey ? 'api_key=os.environ["SAFEVLM_API_KEY"]' : 'api_key="none"'],
    call: [
      `model=${formatValue(model)}`,
      ...Object.entries(known).map(([name, value]) => `${name}=${formatValue(value)}`),
      ...(extra.length ? [`extra_body={${extra.join(", ")}}`] : []),
    ],
  };
}

function formatImports(messages, { wantsKey }, lines) {
  const standard = [...(hasFiles(messages) ? ["import base64"] : []), ...(wantsKey ? ["import os"] : [])];
  const path = hasFiles(messages) ? ["from pathlib import Path"] : [];
  const first = [...standard, ...path];
  return [...first, ...(first.length ? [""] : []), ...lines, ...(hasFiles(messages) ? READ_IMAGE : []), ""];
}

const formatCall = (name, args) => [`${name}(`, ...args.map((arg) => `    ${arg.replaceAll("\n", "\n    ")},`), ")"].join("\n");

export function formatOpenAI({ messages, options }, context) {
  const { client, call } = formatArguments(options, context);
  return [
    ...formatImports(messages, context, ["from openai import OpenAI"]),
    `client = OpenAI(${client.join(", ")})`,
    formatCall("completion = client.chat.completions.create", [...call, `messages=${formatMessages(messages, formatFile)}`]),
    "message = completion.choices[0].message",
    "print(message.refusal or message.content)",
  ].join("\n");
}

export function formatLangChain({ messages, options }, context) {
  const { client, call } = formatArguments(options, context);
  const kinds = { user: "HumanMessage", assistant: "AIMessage" };
  const used = Object.entries(kinds).filter(([role]) => messages.some((message) => message.role === role));
  const imports = [
    `from langchain_core.messages import ${used.map(([, kind]) => kind).toSorted().join(", ")}`,
    "from langchain_openai import ChatOpenAI",
  ];
  const list = formatList(messages.map((message) => `${kinds[message.role]}(${formatContent(message, formatFile)})`));
  return [
    ...formatImports(messages, context, imports),
    formatCall("model = ChatOpenAI", [...client, ...call]),
    `reply = model.invoke(${list})`,
    'print(reply.additional_kwargs.get("refusal") or reply.content)',
  ].join("\n");
}
