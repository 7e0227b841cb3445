// Formats numbers and times. Pure functions.

export const percent = (share) =>
  `${(100 * share).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} %`;

// Whether a share is shown as 0.0 %.
export const roundsToZero = (share) => share < 0.0005;

const countDigits = (value) => {
  const distance = Math.min(value, 1 - value);
  return distance <= 0 ? 2 : Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(distance))));
};

// Formats thresholds, which lie close to 0 and 1, with enough digits to distinguish them from 0 and 1.
export const precise = (value) => value.toFixed(countDigits(value));

export const precisePercent = (value) => `${(100 * value).toFixed(Math.max(1, countDigits(value) - 2))} %`;

export const formatMs = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

export const formatTime = (time) => time.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });

// "1 type", "2 types".
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export function join(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
