/** A bundle, opened and checked: manifest.json read strictly, every file compared with it when it is read. */
import {
  BundleError, BundleReplacedError, DigestError, ManifestError, MissingRuntimeError, RequestError, VariantError,
} from "./errors.ts";
import { allEntries, decode, LIMIT_BYTES, pathProblem, problems } from "./manifest.ts";
import { repr } from "./sentences.ts";
import type { Source } from "./source.ts";
import type { FileEntry, Manifest, Variant } from "./types.ts";

/**
 * What a file is compared with before an engine sees it: its SHA-256, or its size alone.
 *
 * Left out: SHA-256 of every file that is read into memory, which is every file but large models in a folder.
 */
export type Verify = "digests" | "sizes";

const MANIFEST_NAME = "manifest.json";
const VERIFY: readonly unknown[] = ["digests", "sizes", undefined];

/** Files that a message names; of more it says the number. */
const LISTED = 50;

/**
 * Bytes of a variant's files up to which reading, hashing and handing them over costs a load in Node at most 20 ms.
 *
 * 5.4 MB cost 10 to 13 ms more than paths did: hashing about half of it, the engine's copy the rest.
 */
const HASHED_BYTES = 8 << 20;

interface Compared {
  readonly data: Uint8Array<ArrayBuffer> | null;
  readonly problem: string | null;
}

export class Bundle {
  private constructor(
    readonly source: Source,
    /** What manifest.json says. */
    readonly manifest: Manifest,
    /** manifest.json as it was read: who holds the same bytes holds the same bundle, for they name every digest. */
    private readonly manifestBytes: Uint8Array,
    private readonly verify: Verify | undefined,
  ) {}

  /**
   * Return the bundle of a source.
   *
   * Sizes are compared here where the source knows them (a folder), else when a file is read.
   */
  static async open(source: Source, verify?: Verify): Promise<Bundle> {
    if (!VERIFY.includes(verify)) throw new RequestError(`verify is ${repr(verify)}, expected one of digests, sizes.`);
    if (verify === "digests") needWebCrypto();
    const data = await source.read(MANIFEST_NAME, { limit: LIMIT_BYTES });
    if (data === null) {
      throw new BundleError(
        `${source.place} ${await source.missing()}, expected a bundle. ` +
          "Give the folder that `sasrec-edge export` wrote with --out.",
      );
    }
    const bundle = new Bundle(source, decode(data), data, verify);
    await bundle.inOneState(async () => {
      await bundle.checkManifest();
      await bundle.checkSizes();
    });
    return bundle;
  }

  /** Return the variant of that name. */
  variant(name: string): Variant {
    const { variants } = this.manifest;
    const found = variants.find((variant) => variant.name === name);
    if (found) return found;
    const names = variants.map((variant) => variant.name);
    throw new VariantError(`variant is ${repr(name)}, expected one of ${names.join(", ")}.`);
  }

  /** Say whether both were read from one bundle. */
  isSame(other: Bundle): boolean {
    return sameBytes(this.manifestBytes, other.manifestBytes);
  }

  /**
   * Run `action`, which reads files: what it gives stands only if they are of one bundle, the one that was opened.
   *
   * `free` is called with what must not stand. Whatever went wrong in a bundle that was replaced meanwhile, that is why.
   */
  async inOneState<T>(action: () => Promise<T>, free?: (result: T) => Promise<unknown>): Promise<T> {
    const before = await this.source.state();
    let result: T;
    try {
      result = await action();
    } catch (error) {
      await this.checkUnchanged(before).catch((replaced: unknown) => {
        if (replaced instanceof BundleReplacedError) throw replaced;
      });
      throw error;
    }
    try {
      await this.checkUnchanged(before);
    } catch (error) {
      await free?.(result).catch(() => undefined);
      throw error;
    }
    return result;
  }

  /** Run `action`, which reads files long after the bundle was opened, as `inOneState` does. */
  async later<T>(action: () => Promise<T>, free?: (result: T) => Promise<unknown>): Promise<T> {
    await this.checkUnchanged();
    return this.inOneState(action, free);
  }

  /**
   * Return which files of a variant are read and hashed before an engine that opens files itself may have them.
   *
   * All, where that is cheap or asked for: then it is given their bytes. Else the smallest, the graphs among them.
   */
  hashedFiles(variant: Variant): readonly FileEntry[] {
    if (this.verify === "digests") return variant.files;
    if (this.verify === "sizes" || !hasWebCrypto()) return [];
    let left = HASHED_BYTES;
    const smallestFirst = [...variant.files].sort((a, b) => a.bytes - b.bytes);
    return smallestFirst.filter((file) => (left -= file.bytes) >= 0);
  }

  /** Return the content of a file, compared with the manifest. */
  async read(entry: FileEntry): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.readAll([entry]))[0]!;
  }

  /** Return the contents of these files, compared with the manifest; the error names all that differ. */
  async readAll(entries: readonly FileEntry[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const digest = this.verify !== "sizes" && hasWebCrypto();
    const files = await Promise.all(entries.map((entry) => this.compared(entry, digest)));
    const found = files.flatMap(({ problem }) => problem ?? []);
    if (found.length > 0) throw this.differing(found, files.some(({ data }) => data === null));
    return files.map(({ data }) => data!);
  }

  /** Read these files and compare their SHA-256 with the manifest; throw a DigestError that names all that differ. */
  async verifyDigests(entries: readonly FileEntry[]): Promise<void> {
    needWebCrypto();
    const found: string[] = [];
    for (const entry of entries) {
      const { data, problem } = await this.compared(entry, true);
      if (data === null) throw this.differing([problem!], true);
      if (problem !== null) found.push(problem);
    }
    if (found.length > 0) throw this.differing(found, false);
  }

  /** Return a file and what is wrong with it; where caches may lie between, it is asked for again past them. */
  private async compared(entry: FileEntry, digest: boolean, again = false): Promise<Compared> {
    const data = await this.source.read(entry.path, { limit: entry.bytes, expected: entry.bytes, again });
    const problem = contentSizeProblem(entry, data) ?? (digest ? await digestProblem(entry, data!) : null);
    return problem === null || again || !this.source.cached ? { data, problem } : this.compared(entry, digest, true);
  }

  /** Refuse a bundle in whose place another one, or none, is now, or was since `before`. */
  private async checkUnchanged(before?: string): Promise<void> {
    const now = await this.source.read(MANIFEST_NAME, { limit: LIMIT_BYTES, again: true });
    const same = now !== null && sameBytes(now, this.manifestBytes);
    if (same && (before === undefined || before === (await this.source.state()))) return;
    throw new BundleReplacedError(
      same
        ? `${this.source.place} was replaced while it was read. Load it again.`
        : `${this.source.place} was replaced or removed after it was opened: its manifest.json is another one. Load it again.`,
    );
  }

  private async checkManifest(): Promise<void> {
    const found: string[] = [];
    for (const path of new Set(allEntries(this.manifest).map((entry) => entry.path))) {
      const problem = pathProblem(path);
      if (problem !== null) {
        found.push(problem);
        continue;
      }
      const leads = await this.source.problem(path);
      if (leads !== null) found.push(`path ${repr(path)} ${leads}`);
    }
    found.push(...problems(this.manifest));
    if (found.length > 0) {
      throw new ManifestError(`${MANIFEST_NAME}: ${listed([...new Set(found)])}. Export the bundle again.`);
    }
  }

  private async checkSizes(): Promise<void> {
    const missing: string[] = [];
    const wrong: string[] = [];
    for (const entry of new Map(allEntries(this.manifest).map((file) => [file.path, file])).values()) {
      const size = await this.source.size(entry.path);
      if (size === undefined) return;
      const problem = sizeProblem(entry, size);
      if (problem !== null) (size === null ? missing : wrong).push(problem);
    }
    const all = [...missing, ...wrong];
    if (all.length > 0) throw this.differing(all, missing.length > 0);
  }

  private differing(found: readonly string[], missing: boolean): BundleError {
    const message = `${this.source.place}: ${listed(found)}. ${copyAgain(found.length)}`;
    return missing ? new BundleError(message) : new DigestError(message);
  }
}

function hasWebCrypto(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

function needWebCrypto(): void {
  if (hasWebCrypto()) return;
  throw new MissingRuntimeError("WebCrypto is not there: a page has it over https or on localhost only. Serve it so.");
}

function sizeProblem(entry: FileEntry, size: number | null): string | null {
  if (size === null) return `${entry.path} is missing, expected ${entry.bytes} bytes`;
  return size === entry.bytes ? null : `${entry.path} is ${size} bytes, expected ${entry.bytes}`;
}

/** A file that is too large was read up to one byte more than expected. */
function contentSizeProblem(entry: FileEntry, data: Uint8Array | null): string | null {
  if (data !== null && data.length > entry.bytes) return `${entry.path} is larger than expected, ${entry.bytes} bytes`;
  return sizeProblem(entry, data?.length ?? null);
}

async function digestProblem(entry: FileEntry, data: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const seen = hex(await crypto.subtle.digest("SHA-256", data));
  return seen === entry.sha256 ? null : `${entry.path}: sha256 is ${seen}, expected ${entry.sha256}`;
}

/** Return sentences as one, of many only the first. */
function listed(found: readonly string[]): string {
  const shown = found.slice(0, LISTED).join("; ");
  return found.length > LISTED ? `${shown}; and ${found.length - LISTED} more` : shown;
}

function copyAgain(files: number): string {
  const which = files === 1 ? "that file" : `those ${files} files`;
  return `Copy ${which} again from where the bundle was exported, or export it again.`;
}

function hex(digest: ArrayBuffer): string {
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
