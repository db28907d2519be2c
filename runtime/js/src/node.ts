/** sasrec-edge in Node: bundles from a folder or a URL, on onnxruntime-node. */
import { fileURLToPath } from "node:url";
import type { Bundle } from "./bundle.ts";
import { MissingRuntimeError } from "./errors.ts";
import { FolderSource } from "./folder.ts";
import { importOrt, OnnxSession, type Ort } from "./onnx.ts";
import { Recommender as Base, type LoadOptions as BaseOptions } from "./recommender.ts";
import type { Session } from "./session.ts";
import { UrlSource, type Progress, type Source } from "./source.ts";
import type { Variant } from "./types.ts";

export * from "./errors.ts";
export { AllowedSet } from "./allowed_set.ts";
export { Groups, type GroupOfKey, type GroupOptions } from "./groups.ts";
export type { Verify } from "./bundle.ts";
export type { Item, Recommendations, RequestOptions, VariantCheck } from "./recommender.ts";
export type * from "./types.ts";

export interface LoadOptions extends BaseOptions {
  /** An engine you have imported yourself; left out, `onnxruntime-node` is imported. */
  readonly runtimes?: { readonly onnx?: Ort };
  /** Told of every piece of a file that was read. */
  readonly progress?: Progress;
}

export const Recommender = {
  /** Return a recommender for the bundle in a folder, or under a URL. */
  load(urlOrFolder: string | URL, options: LoadOptions = {}): Promise<Base> {
    const open = (bundle: Bundle, variant: Variant, threads: number) => openSession(bundle, variant, threads, options);
    return Base.open(sourceOf(urlOrFolder, options.progress), open, options);
  },
};
export type Recommender = Base;

function sourceOf(urlOrFolder: string | URL, progress: Progress | undefined): Source {
  const text = String(urlOrFolder);
  if (/^https?:/.test(text)) return new UrlSource(text, progress);
  return new FolderSource(text.startsWith("file:") ? fileURLToPath(text) : text, progress);
}

async function openSession(
  bundle: Bundle, variant: Variant, threads: number, { runtimes }: LoadOptions,
): Promise<Session> {
  if (variant.runtime === "tflite") {
    throw new MissingRuntimeError(
      `variant ${variant.name} needs LiteRT.js, which runs in browsers only. Take an ONNX variant.`,
    );
  }
  const load = () => import("onnxruntime-node");
  return OnnxSession.open(runtimes?.onnx ?? (await importOrt("onnxruntime-node", load, variant)), bundle, variant, threads);
}
