/** The one interface over both runtimes: ids of the graph contract in, ids and scores out, one history a call. */
import { BundleError, EngineError, MissingRuntimeError, RequestError, SasrecError, SignatureError } from "./errors.ts";
import { reason } from "./sentences.ts";
import { PAD_ID } from "./vocabulary.ts";
import type { Variant } from "./types.ts";

/** Items, best first, and their scores; PAD_ID in places that no item can take. */
export interface Ranked {
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

/** A loaded variant. */
export interface Session {
  recommend(history: readonly number[], exclude: readonly number[], k: number): Promise<Ranked>;
  /** Scores of `candidates`, in their order. The first call may load a model. */
  score(history: readonly number[], candidates: readonly number[]): Promise<Float32Array>;
  /** Free what the engine holds. */
  close(): Promise<void>;
}

/** Name → dtype and rank; a rank of -1 is unknown to the runtime. */
export type Tensors = Readonly<Record<string, readonly [string, number]>>;

export type Entry = "recommend" | "score";

/** Return what the contract says of an entry's inputs; only a variant without fixed_k has the input `k`. */
export function inputsOf(entry: Entry, variant: Variant): Tensors {
  if (entry === "score") return { history: ["int32", 2], candidates: ["int32", 2] };
  const inputs = { history: ["int32", 2], exclude: ["int32", 2] } as const;
  return variant.fixed_k ? inputs : { ...inputs, k: ["int64", 1] };
}

/** Return what the contract says of an entry's outputs. */
export function outputsOf(entry: Entry): Tensors {
  return entry === "score" ? { scores: ["float32", 2] } : { items: ["int32", 2], scores: ["float32", 2] };
}

/** Refuse a k that the variant cannot answer. */
export function checkK(k: number, variant: Variant, nItems: number): void {
  if (!Number.isInteger(k)) throw new RequestError(`k is ${k}, expected a whole number in 1…${nItems}.`);
  if (k < 1 || k > nItems) {
    throw new RequestError(`k is ${k}, expected 1…${nItems}. The catalogue has ${nItems} items.`);
  }
  if (variant.fixed_k && k > variant.fixed_k) {
    throw new RequestError(
      `k is ${k}, expected 1…${variant.fixed_k}. Variant ${variant.name} returns fixed_k = ${variant.fixed_k} ` +
        "items: ask for fewer, take an ONNX variant, or export it with a larger k.",
    );
  }
}

/** Refuse a model whose tensors differ from the contract. */
export function checkSignature(place: string, kind: "inputs" | "outputs", seen: Tensors, expected: Tensors): void {
  const names = Object.keys(expected);
  const same =
    Object.keys(seen).length === names.length &&
    names.every((name) => {
      const [dtype, rank] = (Object.hasOwn(seen, name) ? seen[name] : undefined) ?? ["", 0];
      return dtype === expected[name]?.[0] && (rank === expected[name][1] || rank === -1);
    });
  if (same) return;
  throw new SignatureError(
    `${place}: ${kind} are ${describe(seen)}, expected ${describe(expected)}. ` +
      "Export the bundle again, or upgrade sasrec-edge.",
  );
}

/** Refuse an engine older than the variant needs. */
export function checkVersion(engine: string, version: string, variant: Variant): void {
  const [seen, needed] = [release(version), release(variant.min_runtime_version)];
  for (let i = 0; i < Math.max(seen.length, needed.length); i++) {
    const difference = (seen[i] ?? 0) - (needed[i] ?? 0);
    if (difference > 0) return;
    if (difference < 0) {
      throw new MissingRuntimeError(
        `${engine} is ${version}, variant ${variant.name} needs at least ${variant.min_runtime_version}. ` +
          `Run: npm install ${engine}@latest`,
      );
    }
  }
}

/**
 * Return a history as the graph reads it: newest item last, padding on the left.
 *
 * `columns` 0: any number, at least one.
 */
export function encodeHistory(history: readonly number[], columns: number, rows = 1): Int32Array<ArrayBuffer> {
  const width = columns || Math.max(1, history.length);
  const encoded = new Int32Array(rows * width); // padding is 0
  const newest = history.slice(-width);
  encoded.set(newest, width - newest.length);
  return encoded;
}

/** Return ids with padding on their right; further rows are padding. */
export function padRight(ids: readonly number[], columns: number, rows = 1): Int32Array<ArrayBuffer> {
  const padded = new Int32Array(rows * columns).fill(PAD_ID);
  padded.set(ids);
  return padded;
}

/** Return the columns that `exclude` needs, and refuse more than fit. */
export function excludeColumns(exclude: readonly number[], variant: Variant, least: number): number {
  const fixed = variant.fixed_exclude;
  if (fixed && exclude.length > fixed) {
    throw new RequestError(
      `exclude holds ${exclude.length} ids, expected at most ${fixed}. Variant ${variant.name} takes ` +
        `fixed_exclude = ${fixed}: exclude fewer, or take another variant.`,
    );
  }
  return fixed || Math.max(least, exclude.length);
}

/** Score candidates in pieces of the size that the variant takes; `run` scores one piece, padded. */
export async function scoreInPieces(
  candidates: readonly number[], variant: Variant, run: (piece: readonly number[], columns: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const size = variant.fixed_candidates || Math.max(1, candidates.length);
  const scores = new Float32Array(candidates.length);
  for (let start = 0; start < candidates.length; start += size) {
    const piece = candidates.slice(start, start + size);
    scores.set((await run(piece, size)).subarray(0, piece.length), start);
  }
  return scores;
}

/** Return the error for a file that an engine could not load; `engine` is its name and version. */
export function notLoaded(place: string, engine: string, variant: Variant, error: unknown): BundleError {
  return new BundleError(
    `${place}: ${engine} cannot load it for variant ${variant.name}: ${reason(error)}. ` +
      "Check the files with `sasrec-edge verify`, choose another variant, or export the bundle again.",
    { cause: error },
  );
}

/** Return the error for an engine that failed while it did that; what is an error of this package stays it. */
export function failed(doing: string, engine: string, variant: Variant, error: unknown): SasrecError {
  if (error instanceof SasrecError) return error;
  return new EngineError(
    `variant ${variant.name}: ${engine} failed while it ${doing}: ${reason(error)}. ` +
      "Check the bundle with `sasrec-edge verify`, or choose another variant.",
    { cause: error },
  );
}

function describe(tensors: Tensors): string {
  return Object.entries(tensors)
    .map(([name, [dtype, rank]]) => `${name} ${dtype} rank ${rank < 0 ? "?" : rank}`)
    .join(", ");
}

function release(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? "").split(".").map(Number);
}
