// Colours a heatmap. The server sends attention as the opacity of one colour, which disappears on images of this
// colour; here it runs through the ramp that the legend shows, from transparent to dark red.

const RAMP = [
  [0, [255, 245, 157, 0]],
  [0.3, [255, 213, 64, 150]],
  [0.6, [245, 124, 0, 205]],
  [1, [165, 0, 38, 240]],
];

function interpolate(share) {
  const above = Math.max(1, RAMP.findIndex(([at]) => share <= at));
  const [[low, from], [high, to]] = [RAMP[above - 1], RAMP[above]];
  return from.map((value, channel) => value + ((to[channel] - value) * (share - low)) / (high - low));
}

// Draws the heatmap of a URL into a canvas, as large as it is.
export async function colourMap(url, canvas) {
  const image = new Image();
  image.src = url;
  await image.decode();
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true }); // the pixels are read, not only shown
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const table = Uint8ClampedArray.from(Array.from({ length: 256 }, (_, alpha) => interpolate(alpha / 255)).flat());
  for (let at = 0; at < pixels.data.length; at += 4) {
    const alpha = pixels.data[at + 3];
    pixels.data.set(table.subarray(4 * alpha, 4 * alpha + 4), at);
  }
  context.putImageData(pixels, 0, 0);
}
