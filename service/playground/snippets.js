// Formats a request as code to copy. Pure functions; a shell or Python must reproduce the user's input unchanged.

const quoteForShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// curl interprets quotes and backslashes in a file name.
const formatCurlFile = (name) => quoteForShell(`image=@"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);

export function formatCurl({ files, fields }, { origin, wantsKey }) {
  const lines = [
    `curl -s ${origin}/v1/chat`,
    ...(wantsKey ? ['-H "Authorization: Bearer $SAFEVLM_API_KEY"'] : []),
    ...files.map((file) => `-F ${formatCurlFile(file.name)}`),
    ...Object.entries(fields).map(([name, value]) => `--form-string ${quoteForShell(`${name}=${value}`)}`),
  ];
  return lines.join(" \\\n  ");
}

// JSON strings and numbers are valid Python.
export function formatPython({ files, fields }, { origin, wantsKey }) {
  const values = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const fileTuples = files.map((file) => `("image", open(${JSON.stringify(file.name)}, "rb"))`);
  const key = 'headers={"Authorization": f"Bearer {os.environ[\'SAFEVLM_API_KEY\']}"}';
  const options = [
    ...(wantsKey ? [key] : []),
    ...(fileTuples.length ? [`files=[\n        ${fileTuples.join(",\n        ")},\n    ]`] : []),
    `${fileTuples.length ? "data" : "json"}={${values.join(", ")}}`,
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
