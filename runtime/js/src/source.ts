/** Where the files of a bundle come from: a folder on this disk, or a URL. */
import { BundleError } from "./errors.ts";

/** Told how many bytes of a file were just read. */
export type Progress = (path: string, bytes: number) => void;

export interface Source {
  /** What messages call it. */
  readonly place: string;
  /** Bytes of a file; null: it is missing; undefined: known only once it is read. */
  size(path: string): Promise<number | null | undefined>;
  /** Content of a file; null: it is missing. `expected` is its size, where known. */
  read(path: string, expected?: number): Promise<Uint8Array<ArrayBuffer> | null>;
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

  constructor(url: string | URL, private readonly progress: Progress | undefined) {
    const base = typeof document === "undefined" ? undefined : document.baseURI;
    const absolute = new URL(url, base);
    if (!absolute.pathname.endsWith("/")) absolute.pathname += "/";
    this.place = absolute.href;
  }

  size(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async read(path: string, expected?: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const response = await this.fetch(path);
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
        this.progress?.(path, value.length);
      }
    } catch (error) {
      const whole = expected === undefined ? "" : `, expected ${expected}`;
      throw new BundleError(
        `${this.place}: ${path} broke off after ${bytes} bytes${whole} (${(error as Error).message}). Load it again.`,
        { cause: error },
      );
    }
    return join(chunks, bytes);
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

  private async fetch(path: string): Promise<Response> {
    const url = new URL(path.split("/").map(encodeURIComponent).join("/"), this.place);
    try {
      return await fetch(url);
    } catch (error) {
      const reason = (error as Error).message;
      throw new BundleError(`${this.place}: ${path} cannot be fetched (${reason}). Check the connection and the URL.`, {
        cause: error,
      });
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
