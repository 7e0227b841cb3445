// Formats a request as code to copy. Pure functions; a shell or Python must reproduce the user's input unchanged.

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// curl interprets quotes and backslashes in a file name.
const curlFile = (name) => shell(`image=@"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);

export function curl({ files, fields }, { origin, wantsKey }) {
  const lines = [
    `curl -s ${origin}/v1/chat`,
    ...(wantsKey ? ['-H "Authorization: Bearer $SAFEVLM_API_KEY"'] : []),
    ...files.map((file) => `-F ${curlFile(file.name)}`),
    ...Object.entries(fields).map(([name, value]) => `--form-string ${shell(`${name}=${value}`)}`),
  ];
  return lines.join(" \\\n  ");
}

// JSON strings and numbers are valid Python.
export function python({ files, fields }, { origin, wantsKey }) {
  const values = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const pictures = files.map((file) => `("image", open(${JSON.stringify(file.name)}, "rb"))`);
  const key = 'headers={"Authorization": f"Bearer {os.environ[\'SAFEVLM_API_KEY\']}"}';
  const options = [
    ...(wantsKey ? [key] : []),
    ...(pictures.length ? [`files=[\n        ${pictures.join(",\n        ")},\n    ]`] : []),
    `${pictures.length ? "data" : "json"}={${values.join(", ")}}`,
    "timeout=300",
  ];
  return [
    ...(wantsKey ? ["import os", ""] : []),
    "import httpx",
    "",
    "reply = httpx.post(",
    `    ${JSON.stringify(`${origin}/v1/chat`)},`,
    ...options.map((option) => `    ${option},`),
    ")",
    "print(reply.json())",
  ].join("\n");
}
