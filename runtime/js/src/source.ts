/** Where the files of a bundle come from: a folder on this disk, or a URL. */
import { BundleError } from "./errors.ts";
import { reason } from "./sentences.ts";

/** Told how many bytes of a file were just read. */
export type Progress = (path: string, bytes: number) => void;

export interface ReadOptions {
  /** Bytes to read at most, and one more: a file that is larger than it may be is not read to its end. */
  readonly limit: number;
  /** Size of the file, where it is known. */
  readonly expected?: number;
  /** Read it once more: past every cache, and without telling `progress`. */
  readonly again?: boolean;
}

export interface Source {
  /** What messages call it. */
  readonly place: string;
  /** Whether an old copy may be read in place of the file. */
  readonly cached: boolean;
  /** What messages call a file. */
  name(path: string): string;
  /** Bytes of a file; null: it is missing; undefined: known only once it is read. */
  size(path: string): Promise<number | null | undefined>;
  /** Content of a file; null: it is missing. */
  read(path: string, options: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null>;
  /** What tells the place as it is now from what was put there since, where the system knows. */
  state(): Promise<string>;
  /** Path for an engine that opens files itself; null: it must be given the bytes. */
  localPath(path: string): string | null;
  /** What is wrong with a path besides its letters; null: nothing. */
  problem(path: string): Promise<string | null>;
  /** Why no manifest was found. */
  missing(): Promise<string>;
}

/** Files under a URL, fetched one by one. */
export class UrlSource implements Source {
  readonly place: string;
  readonly cached = true;

  constructor(url: string | URL, private readonly progress: Progress | undefined) {
    const base = typeof document === "undefined" ? undefined : document.baseURI;
    const absolute = new URL(url, base);
    if (!absolute.pathname.endsWith("/")) absolute.pathname += "/";
    this.place = absolute.href;
  }

  name(path: string): string {
    return this.place + path;
  }

  size(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async read(path: string, { limit, expected, again = false }: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    // Everything else is judged by the manifest, so that an old copy of it must never be taken for the bundle's.
    const response = await this.fetch(path, expected === undefined ? "no-cache" : again ? "reload" : "default");
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) {
      throw new BundleError(
        `${this.place}: ${path}: the server answered ${response.status}, expected the file. Try again later.`,
      );
    }
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    try {
      for (const reader = response.body!.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        chunks.push(value);
        bytes += value.length;
        if (!again) this.progress?.(path, value.length);
        if (bytes > limit) {
          void reader.cancel().catch(() => undefined);
          break;
        }
      }
    } catch (error) {
      const whole = expected === undefined ? "" : `, expected ${expected}`;
      throw new BundleError(
        `${this.place}: ${path} broke off after ${bytes} bytes${whole} (${reason(error)}). Load it again.`,
        { cause: error },
      );
    }
    return join(chunks, bytes).subarray(0, limit + 1);
  }

  state(): Promise<string> {
    return Promise.resolve("");
  }

  localPath(): null {
    return null;
  }

  problem(): Promise<null> {
    return Promise.resolve(null);
  }

  missing(): Promise<string> {
    return Promise.resolve("has no manifest.json");
  }

  private async fetch(path: string, cache: RequestCache): Promise<Response> {
    const url = new URL(path.split("/").map(encodeURIComponent).join("/"), this.place);
    try {
      return await fetch(url, { cache });
    } catch (error) {
      throw new BundleError(
        `${this.place}: ${path} cannot be fetched (${reason(error)}). Check the connection and the URL.`, { cause: error },
      );
    }
  }
}

function join(chunks: readonly Uint8Array<ArrayBuffer>[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
