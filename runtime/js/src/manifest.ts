/** manifest.json, read strictly. */
import schema from "../schema/manifest.schema.json" with { type: "json" };
import { FormatVersionError, ManifestError } from "./errors.ts";
import { DuplicateKeyError, JsonError, parse } from "./json.ts";
import { SchemaError, validate, type Schema } from "./json_schema.ts";
import { repr } from "./sentences.ts";
import type { FileEntry, Manifest, Variant } from "./types.ts";

/** The newest bundle layout this code reads. */
export const FORMAT_VERSION = 2;

/** Bytes of a manifest at most. */
export const LIMIT_BYTES = 4 << 20;

/** Places of one input that a variant may fix, rows times columns: 128 MiB of int32. */
const MAX_CELLS = 1 << 25;
const ENTRIES = ["recommend", "score"];
const OPTIONAL_ENTRIES = ["recommend_batch"];
/** Absolute, a Windows drive or separator, NUL, "." or ".." as a part, an empty part. */
// eslint-disable-next-line no-control-regex
const UNSAFE_PATH = /^\/|^[A-Za-z]:|\\|\0|(^|\/)\.{1,2}(\/|$)|\/\/|\/$|^$/;

/** Return the manifest in `data`, its defaults filled in; throw a ManifestError or a FormatVersionError. */
export function decode(data: Uint8Array): Manifest {
  if (data.length > LIMIT_BYTES) {
    throw new ManifestError(
      `manifest.json is ${data.length} bytes, expected at most ${LIMIT_BYTES}. Export the bundle again.`,
    );
  }
  try {
    const value = parse(data);
    refuseNewer("manifest.json", value, FORMAT_VERSION);
    validate(value, schema as Schema);
    return value as Manifest;
  } catch (error) {
    if (error instanceof DuplicateKeyError) {
      const key = repr(error.key);
      throw new ManifestError(`manifest.json: the key ${key} stands twice in one object. Export the bundle again.`);
    }
    if (error instanceof JsonError || error instanceof SchemaError) {
      throw new ManifestError(`manifest.json: ${error.message}. Export the bundle again.`);
    }
    throw error;
  }
}

/** Name a newer format as such, whatever else the file holds. */
export function refuseNewer(file: string, value: unknown, known: number): void {
  const version = (value as { format_version?: unknown } | null)?.format_version;
  if (typeof version === "number" && version > known) {
    throw new FormatVersionError(
      `${file}: format_version is ${version}, this reader knows up to ${known}. ` +
        "Upgrade sasrec-edge, or export the bundle with this version.",
    );
  }
}

/** Return every description of a file; a file that two variants share is described by both. */
export function allEntries(manifest: Manifest): FileEntry[] {
  const { items, titles } = manifest.vocabulary;
  const files = manifest.variants.flatMap((variant) => variant.files);
  return [...files, items, ...(titles ? [titles] : []), manifest.golden, ...manifest.documents];
}

/** Say what is wrong with the letters of a path; null: nothing. */
export function pathProblem(path: string): string | null {
  return UNSAFE_PATH.test(path) ? `path ${repr(path)} is not a plain relative POSIX path inside the bundle` : null;
}

/** Return what the fields, each valid by itself, contradict in one another; empty if nothing. */
export function problems(manifest: Manifest): string[] {
  const found = fileProblems(manifest);
  if (manifest.variants.length === 0) found.push("variants is empty, expected at least one");
  const times = new Map<string, number>();
  for (const { name } of manifest.variants) times.set(name, (times.get(name) ?? 0) + 1);
  for (const [name, count] of [...times].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (count > 1) found.push(`variant ${repr(name)} stands ${count} times`);
  }
  for (const variant of manifest.variants) {
    found.push(...variantProblems(variant).map((problem) => `variant ${repr(variant.name)}: ${problem}`));
  }
  const { n_items, hidden_dim, num_heads } = manifest.model;
  if (hidden_dim % num_heads !== 0) {
    found.push(`hidden_dim is ${hidden_dim}, expected a multiple of num_heads = ${num_heads}`);
  }
  const outside = manifest.fallback_items.find((id) => id > n_items);
  if (outside !== undefined) found.push(`fallback_items holds ${outside}, expected item ids in 1…${n_items}`);
  if (new Set(manifest.fallback_items).size < manifest.fallback_items.length) {
    found.push("fallback_items holds an item id twice");
  }
  return found;
}

function fileProblems(manifest: Manifest): string[] {
  const described = new Map<string, FileEntry>();
  for (const entry of allEntries(manifest)) {
    const first = described.get(entry.path) ?? entry;
    described.set(entry.path, first);
    if (first.bytes !== entry.bytes || first.sha256 !== entry.sha256) {
      return [`${repr(entry.path)} has two sizes or digests`];
    }
  }
  return [];
}

function variantProblems(variant: Variant): string[] {
  const found: string[] = [];
  const entries = Object.keys(variant.entries).sort();
  const required = entries.filter((entry) => !OPTIONAL_ENTRIES.includes(entry));
  if (required.join() !== ENTRIES.join()) {
    found.push(`entries is ${repr(entries)}, expected ${ENTRIES.join(", ")}`);
  }
  const paths = new Set(variant.files.map((file) => file.path));
  for (const path of Object.values(variant.entries)) {
    if (!paths.has(path)) found.push(`entry ${repr(path)} is not among its files`);
  }
  if (variant.runtime === "tflite" && variant.fixed_k === 0) {
    found.push("fixed_k is 0, expected the number of items its graph returns");
  }
  const columns = Math.max(variant.fixed_history, variant.fixed_exclude, variant.fixed_candidates, 1);
  if ((variant.fixed_batch || 1) * columns > MAX_CELLS) {
    const most = Math.floor(MAX_CELLS / columns);
    found.push(`fixed_batch is ${variant.fixed_batch}, expected at most ${most} with ${columns} columns`);
  }
  return found;
}
