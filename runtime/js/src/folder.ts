/** A bundle in a folder on this disk (Node). */
import { constants } from "node:fs";
import { open, realpath, stat, type FileHandle } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { BundleError } from "./errors.ts";
import { reason } from "./sentences.ts";
import type { Progress, ReadOptions, Source } from "./source.ts";

/** What the system says of a path at which no file can be. */
const NO_FILE = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG", "ENXIO"]);
/** Without O_NONBLOCK, opening a FIFO waits for a writer. Windows has neither. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** Node reads no more at once. */
const PIECE_BYTES = 1 << 30;

export class FolderSource implements Source {
  readonly cached = false;
  /** A later `process.chdir` moves nothing. */
  private readonly root: string;

  constructor(readonly place: string, private readonly progress: Progress | undefined) {
    this.root = resolve(place);
  }

  name(path: string): string {
    return join(this.place, path);
  }

  async size(path: string): Promise<number | null> {
    const status = await stat(this.localPath(path)).catch(() => null);
    return status?.isFile() ? status.size : null;
  }

  async read(path: string, { limit, again = false }: ReadOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const handle = await open(this.localPath(path), READ);
      try {
        const status = await handle.stat();
        if (!status.isFile()) return null;
        const data = await readUpTo(handle, Math.min(status.size, limit + 1));
        if (!again) this.progress?.(path, data.length);
        return data;
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (NO_FILE.has((error as NodeJS.ErrnoException).code ?? "")) return null;
      throw new BundleError(
        `${this.name(path)} cannot be read (${reason(error)}). Give this user the right to read it, or copy the bundle again.`,
        { cause: error },
      );
    }
  }

  async state(): Promise<string> {
    const status = await stat(this.root, { bigint: true }).catch(() => null);
    return status ? `${status.dev} ${status.ino} ${status.ctimeNs}` : "";
  }

  localPath(path: string): string {
    return join(this.root, path);
  }

  async problem(path: string): Promise<string | null> {
    const root = await realpath(this.root).catch(() => this.root);
    const target = await realpath(resolve(root, path)).catch((error: NodeJS.ErrnoException) =>
      error.code === "ELOOP" ? null : root,
    );
    if (target !== null) {
      const steps = relative(root, target);
      if (steps !== ".." && !steps.startsWith(`..${sep}`) && !isAbsolute(steps)) return null;
    }
    return "leads out of the bundle through a link";
  }

  async missing(): Promise<string> {
    const status = await stat(this.root).catch(() => null);
    return status === null ? "does not exist" : status.isDirectory() ? "has no manifest.json" : "is not a folder";
  }
}

/** Return the first `bytes` of a file, fewer where it ends before. */
async function readUpTo(handle: FileHandle, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer); // what is not filled is cut off
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(data, filled, Math.min(bytes - filled, PIECE_BYTES), filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return data.subarray(0, filled);
}
