/** A bundle, opened and checked: manifest.json read strictly, files compared with it when they are read. */
import { closest } from "./closest.ts";
import { BundleError, DigestError, ManifestError, MissingRuntimeError, VariantError } from "./errors.ts";
import { allEntries, decode, pathProblem, problems } from "./manifest.ts";
import { repr } from "./sentences.ts";
import type { Source } from "./source.ts";
import type { FileEntry, Manifest, Variant } from "./types.ts";

const MANIFEST_NAME = "manifest.json";

export class Bundle {
  private constructor(
    readonly source: Source,
    /** What manifest.json says. */
    readonly manifest: Manifest,
  ) {}

  /**
   * Return the bundle of a source.
   *
   * Sizes are compared here where the source knows them (a folder), else when a file is read.
   */
  static async open(source: Source): Promise<Bundle> {
    const data = await source.read(MANIFEST_NAME);
    if (data === null) {
      throw new BundleError(
        `${source.place} ${await source.missing()}, expected a bundle. ` +
          "Give the folder that `sasrec-edge export` wrote with --out.",
      );
    }
    const manifest = decode(data);
    const found: string[] = [];
    for (const { path } of allEntries(manifest)) {
      const problem = pathProblem(path);
      if (problem !== null) found.push(problem);
      else if ((await source.problem(path)) !== null) {
        found.push(`path ${repr(path)} ${await source.problem(path)}`);
      }
    }
    found.push(...problems(manifest));
    if (found.length > 0) {
      throw new ManifestError(`${MANIFEST_NAME}: ${[...new Set(found)].join("; ")}. Export the bundle again.`);
    }
    const bundle = new Bundle(source, manifest);
    await bundle.checkSizes();
    return bundle;
  }

  /** Return the variant of that name. */
  variant(name: string): Variant {
    const { variants } = this.manifest;
    const found = variants.find((variant) => variant.name === name);
    if (found) return found;
    const names = variants.map((variant) => variant.name);
    throw new VariantError(
      `variant is ${repr(name)}, expected one of ${names.join(", ")}. ` +
        `Did you mean ${repr(closest(name, names, 1, 0)[0])}?`,
    );
  }

  /** Return the content of a file, of the size that the manifest says. */
  async read(entry: FileEntry): Promise<Uint8Array<ArrayBuffer>> {
    const data = await this.source.read(entry.path, entry.bytes);
    const problem = sizeProblem(entry, data?.length ?? null);
    if (data === null || problem !== null) throw this.differing(problem ?? "", data === null);
    return data;
  }

  /** Read these files and compare their SHA-256 with the manifest; throw a DigestError that names all that differ. */
  async verifyDigests(entries: readonly FileEntry[]): Promise<void> {
    if (!globalThis.crypto?.subtle) {
      throw new MissingRuntimeError("WebCrypto is not there: a page has it over https or on localhost only. Serve it so.");
    }
    const found: string[] = [];
    for (const entry of entries) {
      const seen = hex(await crypto.subtle.digest("SHA-256", await this.read(entry)));
      if (seen !== entry.sha256) found.push(`${entry.path}: sha256 is ${seen}, expected ${entry.sha256}`);
    }
    if (found.length > 0) throw new DigestError(`${this.source.place}: ${found.join("; ")}. ${copyAgain(found.length)}`);
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
    if (all.length > 0) throw this.differing(all.join("; "), missing.length > 0, all.length);
  }

  private differing(problem: string, missing: boolean, files = 1): BundleError {
    const message = `${this.source.place}: ${problem}. ${copyAgain(files)}`;
    return missing ? new BundleError(message) : new DigestError(message);
  }
}

function sizeProblem(entry: FileEntry, size: number | null): string | null {
  if (size === null) return `${entry.path} is missing, expected ${entry.bytes} bytes`;
  return size === entry.bytes ? null : `${entry.path} is ${size} bytes, expected ${entry.bytes}`;
}

function copyAgain(files: number): string {
  const which = files === 1 ? "that file" : `those ${files} files`;
  return `Copy ${which} again from where the bundle was exported, or export it again.`;
}

function hex(digest: ArrayBuffer): string {
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
