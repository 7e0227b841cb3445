// Builds the body of a request from the turns of a conversation. Pure functions.

// The messages that the model reads. `readReply` chooses the earlier replies: the guarded or the unguarded ones.
export function listMessages(turns, readReply = (turn) => turn.text) {
  return turns.flatMap((turn, index) => [
    { role: "user", content: turn.prompt, images: turn.images },
    ...(index < turns.length - 1 ? [{ role: "assistant", content: readReply(turn), images: [] }] : []),
  ]);
}

// Builds the form for the page's endpoints. Images are numbered: files first, then addresses.
export function buildForm(messages, fields) {
  const images = messages.flatMap((message) => message.images);
  const files = images.filter((image) => image.file);
  const addresses = images.filter((image) => !image.file);
  const numbers = new Map([...files, ...addresses].map((image, index) => [image, index]));
  const conversation = {
    messages: messages.map(({ role, content, images: own }) => ({
      role,
      content,
      ...(own.length ? { images: own.map((image) => numbers.get(image)) } : {}),
    })),
  };
  const data = new FormData();
  data.append("conversation", JSON.stringify(conversation));
  for (const { file } of files) data.append("image", file, file.name);
  for (const { url } of addresses) data.append("image_url", url);
  for (const [name, value] of Object.entries(fields)) data.append(name, String(value));
  return data;
}
