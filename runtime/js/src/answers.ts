/**
 * What a model answers is compared with the graph contract before anyone sees it (rules 26 to 28 of runtime/BUNDLE.md).
 *
 * An honest model passes always; a damaged or foreign one would otherwise be shown as if it were right.
 */
import { AnswerError } from "./errors.ts";
import { repr } from "./sentences.ts";
import type { Ranked } from "./session.ts";
import type { Variant } from "./types.ts";
import { PAD_ID } from "./vocabulary.ts";

/** Scores of places that no item can take are at most this. */
const NO_ITEM_SCORE = -5e8;

/** Rows and columns of an output. */
type Size = readonly [number, number];

/** Checks the answers of one variant, one at a time. */
export class AnswerCheck {
  /** Item id → 1 while a check runs and the id must not come (again): cheaper than a set for long histories. */
  private barred = new Uint8Array();

  constructor(private readonly variant: Variant, private readonly nItems: number) {}

  /**
   * Return the first `k` places of the first row, refused where they are not a valid answer: ids in 1…nItems, each once
   * and none of `exclude`, scores finite and not increasing, padding only where no items are left.
   *
   * `items`, `scores`: outputs of the graph, int32 and float32 of that size.
   */
  ranked(items: unknown, scores: unknown, size: Size, exclude: readonly number[], k: number): Ranked {
    const ids = this.values(items, "items", "Int32Array", size).subarray(0, k) as Int32Array;
    const values = this.values(scores, "scores", "Float32Array", size).subarray(0, k) as Float32Array;
    if (this.barred.length === 0) this.barred = new Uint8Array(this.nItems + 1);
    try {
      const expected = Math.min(k, this.nItems - this.bar(exclude));
      this.checkItems(ids, values, expected, exclude);
      this.checkPadding(ids, values, expected);
    } finally {
      for (const id of exclude) this.barred[id] = 0; // outside 1…nItems this does nothing
      for (const id of ids) this.barred[id] = 0;
    }
    return { items: ids, scores: values };
  }

  /** Return `scores`, an output float32 of that size, refused where one of the first `used` is not finite. */
  scored(scores: unknown, size: Size, used: number): Float32Array {
    const values = this.values(scores, "scores", "Float32Array", size) as Float32Array;
    for (let i = 0; i < used; i++) this.checkFinite(values[i]!, i);
    return values;
  }

  /** Return how many distinct items are excluded. */
  private bar(exclude: readonly number[]): number {
    const { barred, nItems } = this;
    let distinct = 0;
    for (const id of exclude) {
      if (id <= PAD_ID || id > nItems || barred[id]) continue;
      barred[id] = 1;
      distinct += 1;
    }
    return distinct;
  }

  private checkItems(ids: Int32Array, values: Float32Array, expected: number, exclude: readonly number[]): void {
    const { barred, nItems } = this;
    for (let rank = 0; rank < expected; rank++) {
      const [id, score] = [ids[rank]!, values[rank]!];
      if (id < 1 || id > nItems) throw this.differing(`items[${rank}] is ${id}, expected an item id in 1…${nItems}`);
      if (barred[id]) {
        const right = exclude.includes(id) ? "an item that is not excluded" : "each item once";
        throw this.differing(`items[${rank}] is ${id}, expected ${right}`);
      }
      barred[id] = 1;
      this.checkFinite(score, rank);
      const before = rank > 0 ? values[rank - 1]! : score;
      if (score > before) {
        throw this.differing(`scores[${rank}] is ${score}, expected at most ${before}, the score before it`);
      }
    }
  }

  private checkPadding(ids: Int32Array, values: Float32Array, from: number): void {
    for (let rank = from; rank < ids.length; rank++) {
      if (ids[rank] === PAD_ID && values[rank]! <= NO_ITEM_SCORE) continue;
      const seen = `items[${rank}] is ${ids[rank]} with the score ${values[rank]}`;
      throw this.differing(`${seen}, expected padding, for no more than ${from} items are left`);
    }
  }

  private checkFinite(score: number, index: number): void {
    if (!Number.isFinite(score)) throw this.differing(`scores[${index}] is ${score}, expected a finite number`);
  }

  private values(
    data: unknown, name: string, type: "Int32Array" | "Float32Array", [rows, columns]: Size,
  ): Int32Array | Float32Array {
    // By name: an engine may have been loaded in another realm, as in Jest.
    const seen = (data as { [Symbol.toStringTag]?: unknown } | null | undefined)?.[Symbol.toStringTag];
    if (seen !== type) throw this.differing(`${name} is ${repr(seen)}, expected ${type} of ${rows} × ${columns}`);
    const values = data as Int32Array | Float32Array;
    if (values.length === rows * columns) return values;
    throw this.differing(`${name} has ${values.length} values, expected ${rows} × ${columns}`);
  }

  private differing(sentence: string): AnswerError {
    return new AnswerError(
      `variant ${this.variant.name} gave an answer that breaks the graph contract: ${sentence}. ` +
        "Check the bundle with `sasrec-edge verify`, or choose another variant.",
    );
  }
}
