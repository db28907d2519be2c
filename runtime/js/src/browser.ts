/** sasrec-edge in a browser: bundles from a URL, on onnxruntime-web or LiteRT.js. */
import type { Bundle } from "./bundle.ts";
import { MissingRuntimeError } from "./errors.ts";
import { LiteRtSession, type LiteRt } from "./litert.ts";
import { importOrt, OnnxSession, type Ort } from "./onnx.ts";
import { Recommender as Base, type LoadOptions as BaseOptions } from "./recommender.ts";
import { reason } from "./sentences.ts";
import type { Session } from "./session.ts";
import { UrlSource, type Progress } from "./source.ts";
import type { Variant } from "./types.ts";

export * from "./errors.ts";
export { AllowedSet } from "./allowed_set.ts";
export { Groups, type GroupOfKey, type GroupOptions } from "./groups.ts";
export type { Verify } from "./bundle.ts";
export type { Item, Recommendations, RequestOptions, VariantCheck } from "./recommender.ts";
export type * from "./types.ts";

export interface LoadOptions extends BaseOptions {
  /** Engines you have imported yourself; left out, `onnxruntime-web/wasm` and `@litertjs/core` are imported. */
  readonly runtimes?: { readonly onnx?: Ort; readonly tflite?: LiteRt };
  /** Told of every piece of a file that arrived. */
  readonly progress?: Progress;
}

export const Recommender = {
  /** Return a recommender for the bundle under a URL. */
  load(url: string | URL, options: LoadOptions = {}): Promise<Base> {
    const open = (bundle: Bundle, variant: Variant, threads: number) => openSession(bundle, variant, threads, options);
    return Base.open(new UrlSource(url, options.progress), open, options);
  },
};
export type Recommender = Base;

async function openSession(
  bundle: Bundle, variant: Variant, threads: number, { runtimes }: LoadOptions,
): Promise<Session> {
  if (variant.runtime === "tflite") {
    return LiteRtSession.open(runtimes?.tflite ?? (await importLiteRt(variant)), bundle, variant);
  }
  const load = () => import("onnxruntime-web/wasm");
  return OnnxSession.open(runtimes?.onnx ?? (await importOrt("onnxruntime-web", load, variant)), bundle, variant, threads);
}

async function importLiteRt(variant: Variant): Promise<LiteRt> {
  try {
    return (await import("@litertjs/core")) as unknown as LiteRt;
  } catch (error) {
    throw new MissingRuntimeError(
      `variant ${variant.name} needs @litertjs/core, which cannot be imported (${reason(error)}). ` +
        "Run: npm install @litertjs/core",
      { cause: error },
    );
  }
}
