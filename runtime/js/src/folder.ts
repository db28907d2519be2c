/** A bundle in a folder on this disk (Node). */
import { readFile, realpath, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { Progress, Source } from "./source.ts";

export class FolderSource implements Source {
  constructor(readonly place: string, private readonly progress: Progress | undefined) {}

  async size(path: string): Promise<number | null> {
    const status = await stat(join(this.place, path)).catch(() => null);
    return status?.isFile() ? status.size : null;
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
    if ((await this.size(path)) === null) return null;
    const data = await readFile(join(this.place, path));
    this.progress?.(path, data.length);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  localPath(path: string): string {
    return join(this.place, path);
  }

  async problem(path: string): Promise<string | null> {
    const root = await realpath(this.place);
    const target = await realpath(resolve(root, path)).catch((error: NodeJS.ErrnoException) =>
      error.code === "ELOOP" ? null : root,
    );
    if (target !== null) {
      const steps = relative(root, target);
      if (steps !== ".." && !steps.startsWith(`..${sep}`)) return null;
    }
    return "leads out of the bundle through a link";
  }

  async missing(): Promise<string> {
    const status = await stat(this.place).catch(() => null);
    return status === null ? "does not exist" : status.isDirectory() ? "has no manifest.json" : "is no folder";
  }
}
