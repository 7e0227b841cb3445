// Names for people: of decisions, actions, risk types and levels. A checkpoint has its own types and levels, so names
// that this page does not know are shown as they are, without underscores.

export const DECISIONS = { allowed: "Allowed", cautioned: "Answered with care", refused: "Refused" };

export const ACTIONS = { allow: "Allow", caution: "Answer with care", refuse: "Refuse" };

export const SURFACES = { image: "Images", text: "Words", joint: "Both together", lettering: "Lettering" };

const TYPES = {
  safe: "No risk",
  politics: "Politics",
  illegal: "Illegal acts",
  insults_bullying: "Insults and bullying",
  fairness: "Discrimination",
  privacy: "Personal data",
  misleading: "Misleading content",
};

const LEVELS = { safe: "No risk", caution: "Low risk", may_refuse: "Medium risk", refuse: "High risk" };

function spell(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const nameType = (type) => TYPES[type] ?? spell(type);
export const nameLevel = (level) => LEVELS[level] ?? spell(level);

// The same in the middle of a sentence.
export const mentionType = (type) => nameType(type).toLowerCase();
export const mentionLevel = (level) => nameLevel(level).toLowerCase();

// One line about a risk: "Illegal acts, high risk (level 3 of 3)".
export function describeRisk({ type, level }, levels) {
  if (!level.index) return "No risk found";
  return `${nameType(type)}, ${mentionLevel(level.name)} (level ${level.index} of ${levels.length - 1})`;
}

// Names what the head read: one view of a request.
export function nameView(view) {
  if (view === "all") return "everything together";
  if (view === "text") return "the words";
  if (view === "images") return "the images";
  if (view.endsWith(" alone")) return `${view.slice(0, -" alone".length)} without the words`;
  if (!view.startsWith("lettering")) return view;
  const place = view.match(/\d+/);
  return `the lettering in ${place ? `image ${place[0]}` : "all images"}${view.endsWith("with text") ? " with the words" : ""}`;
}
