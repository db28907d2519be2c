/** How values stand in messages: as in the Python package, so that one sentence serves both. */

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const LIMIT = 80;
const REASON_LIMIT = 300;

/** Return `value` as Python's repr shows it, at most 80 characters. */
export function repr(value: unknown): string {
  return [...whole(value)].slice(0, LIMIT).join("");
}

function whole(value: unknown): string {
  if (typeof value === "string") {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const body = value.replace(/[\\\n\r\t]/g, (c) => ESCAPES[c] ?? c).replaceAll(quote, `\\${quote}`);
    // eslint-disable-next-line no-control-regex
    return quote + body.replace(/[\x00-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`) + quote;
  }
  if (Array.isArray(value)) return list(value);
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return String(value);
}

/** Return a list as Python shows it, uncut. */
export function list(values: readonly unknown[]): string {
  return `[${values.map(whole).join(", ")}]`;
}

/** Return what an engine or the system said in its error: one line of at most 300 characters, no full stop at its end. */
export function reason(error: unknown): string {
  const said = (error as Error | null | undefined)?.message ?? error;
  // eslint-disable-next-line no-control-regex
  return String(said).replace(/[\x00-\x1f\x7f]+/g, " ").trim().slice(0, REASON_LIMIT).replace(/[. ]+$/, "");
}
