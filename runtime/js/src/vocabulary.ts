/** The vocabulary of a bundle: the caller's item keys and titles, and the item ids of the model. */
import type { Bundle } from "./bundle.ts";
import { BundleError, HistoryError, UnknownItemError } from "./errors.ts";
import { repr } from "./sentences.ts";

/** What to do with a key outside the vocabulary: refuse it, leave it out, or put padding in its place. */
export type Unknown = "error" | "drop" | "map";

/** Padding id: never an item. */
export const PAD_ID = 0;

/** What some editors put before a text in UTF-8. */
const BOM = [0xef, 0xbb, 0xbf];

/** Item keys in the order of their ids, with titles where the data has them. Law: `ids([key(i)])` is `[i]`. */
export class Vocabulary {
  private readonly idOf: ReadonlyMap<string, number>;

  private constructor(
    private readonly keys: readonly string[],
    private readonly titles: readonly string[],
    place: string,
  ) {
    this.idOf = new Map(keys.map((key, index) => [key, index + 1]));
    if (this.idOf.size === keys.length) return;
    const line = keys.findIndex((key, index) => this.idOf.get(key) !== index + 1) + 1;
    const key = keys[line - 1] ?? "";
    throw new BundleError(
      `${place}: item key ${repr(key)} stands on lines ${line} and ${this.idOf.get(key)}, ` +
        "expected each key once. Export the bundle again.",
    );
  }

  /** Return the vocabulary in items.txt and titles.txt. */
  static async read(bundle: Bundle): Promise<Vocabulary> {
    const { items, titles } = bundle.manifest.vocabulary;
    const { n_items } = bundle.manifest.model;
    const place = bundle.source.name(items.path);
    const [keyData, titleData] = await bundle.readAll(titles ? [items, titles] : [items]);
    const keys = lines(keyData!, place, n_items);
    const empty = keys.indexOf("") + 1;
    if (empty > 0) throw new BundleError(`${place}: line ${empty} is empty, expected a key. Export the bundle again.`);
    const names = titles ? lines(titleData!, bundle.source.name(titles.path), n_items) : [];
    return new Vocabulary(keys, names, place);
  }

  get length(): number {
    return this.keys.length;
  }

  has(key: string): boolean {
    return this.idOf.has(key);
  }

  /** Return the key of an id in 1…length. */
  key(itemId: number): string {
    const key = this.keys[itemId - 1];
    if (key === undefined) throw new HistoryError(`item id is ${itemId}, expected 1…${this.length}.`);
    return key;
  }

  /** Return the title of an id in 1…length, null if it has none. */
  title(itemId: number): string | null {
    this.key(itemId);
    return this.titles[itemId - 1] || null;
  }

  /** Return the ids of keys, in their order; `place` is what messages call the keys. */
  ids(keys: readonly string[], unknown: Unknown = "error", place = "keys"): number[] {
    const given = asArray(keys, place);
    const found = given.map((key) => this.idOf.get(key));
    if (!found.includes(undefined)) return found as number[];
    checkText(given, place);
    if (unknown === "drop") return found.filter((id) => id !== undefined);
    if (unknown === "map") return found.map((id) => id ?? PAD_ID);
    const position = found.indexOf(undefined);
    const more = found.filter((id) => id === undefined).length - 1;
    throw new UnknownItemError(
      `${place}[${position}] is ${repr(given[position])}, expected a key among the ${this.length} items of this bundle` +
        `${more ? ` (${more} more unknown)` : ""}. ${this.otherSpelling(given[position] ?? "")}` +
        "Leave it out, or choose unknown='drop' or 'map' (--unknown on the command line).",
    );
  }

  /** Name the keys that differ from an unknown one by case or spaces only. */
  private otherSpelling(key: string): string {
    const spellings = new Set([key.trim(), key.toLowerCase(), key.toUpperCase()]);
    const close = [...spellings].filter((spelling) => this.has(spelling));
    return close.length > 0 ? `Closest: ${close.map(repr).join(", ")}. ` : "";
  }
}

function asArray(keys: readonly string[], place: string): readonly string[] {
  const given: unknown = keys;
  if (typeof given === "string") {
    throw new HistoryError(
      `${place} is the single text ${repr(given)}, expected a sequence of item keys. Put it into a list.`,
    );
  }
  if (Array.isArray(given)) return given as string[];
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return [...(given as Iterable<string>)];
  throw new HistoryError(`${place} is ${repr(given)}, expected a sequence of item keys.`);
}

function checkText(keys: readonly unknown[], place: string): void {
  const names: Readonly<Record<string, string>> = { number: "int", boolean: "bool", undefined: "NoneType" };
  keys.forEach((key, position) => {
    if (typeof key === "string") return;
    const kind = key === null ? "NoneType" : (names[typeof key] ?? typeof key);
    throw new HistoryError(
      `${place}[${position}] is ${repr(key)} (${kind}), expected text. Item keys are text, as in items.txt: give str(key).`,
    );
  });
}

/** Return the lines of a file; only a line feed ends one, so that keys may hold any other character. */
function lines(data: Uint8Array, place: string, nItems: number): string[] {
  if (BOM.every((byte, i) => data[i] === byte)) {
    throw new BundleError(
      `${place} begins with a byte order mark, which would become part of its first line. Export the bundle again.`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new BundleError(`${place} is not UTF-8. Export the bundle again.`);
  }
  const found = text.split("\n");
  if (found.at(-1) === "") found.pop();
  if (found.length !== nItems) {
    throw new BundleError(`${place} has ${found.length} lines, expected ${nItems} (n_items). Export the bundle again.`);
  }
  return found;
}
