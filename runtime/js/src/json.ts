/** JSON as the format asks for it: UTF-8, and no key twice in one object. */

/** The text is not JSON of this kind. */
export class JsonError extends Error {}

/** A key stands twice in one object, which readers of different languages would read differently. */
export class DuplicateKeyError extends JsonError {
  constructor(readonly key: string) {
    super(`the key stands twice`);
  }
}

/** Return the value in `data`. */
export function parse(data: Uint8Array): unknown {
  const text = decode(data);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonError(`JSON is malformed: ${(error as Error).message}`);
  }
  refuseDuplicateKeys(text);
  return value;
}

function decode(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new JsonError("JSON is malformed: it is not UTF-8");
  }
}

/** `text` is valid JSON: only strings and braces matter. */
function refuseDuplicateKeys(text: string): void {
  const keysOf: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(/[{}]|"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (token === "{") keysOf.push(new Set());
    else if (token === "}") keysOf.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string;
      const keys = keysOf.at(-1);
      if (keys?.has(key)) throw new DuplicateKeyError(key);
      keys?.add(key);
    }
  }
}
