// Changes to a policy, in the form of a policy file: {field: {type: value}} or {field: {type: {level: value}}}. A value
// that equals the policy's is no change. Pure functions.

// Sets one value; `level` is null for a field without levels.
export function setChange(changes, base, field, type, level, value) {
  const old = level === null ? base[field][type] : base[field][type][level];
  const of = level === null ? (changes[field] ??= {}) : ((changes[field] ??= {})[type] ??= {});
  const key = level ?? type;
  if (value === old) delete of[key];
  else of[key] = value;
  if (level !== null && !Object.keys(of).length) delete changes[field][type];
  if (!Object.keys(changes[field]).length) delete changes[field];
}

// Copies changes without values that equal the policy's.
export function keepDifferences(changes, base) {
  const kept = {};
  for (const [field, types] of Object.entries(changes)) {
    for (const [type, value] of Object.entries(types)) {
      const levels = typeof value === "object" ? Object.entries(value) : [[null, value]];
      for (const [level, one] of levels) setChange(kept, base, field, type, level, one);
    }
  }
  return kept;
}

export function formatYaml(changes) {
  const lines = [];
  for (const [field, types] of Object.entries(changes)) {
    lines.push(`${field}:`);
    for (const [type, value] of Object.entries(types)) {
      const inner = typeof value === "object" ? Object.entries(value).map(([level, one]) => `${level}: ${one}`) : null;
      lines.push(`  ${type}: ${inner ? `{${inner.join(", ")}}` : value}`);
    }
  }
  return lines.join("\n") || "# no changes";
}
