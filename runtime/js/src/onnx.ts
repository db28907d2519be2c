/** ONNX variants on onnxruntime-web or onnxruntime-node. */
import type { Bundle } from "./bundle.ts";
import { BundleError, MissingRuntimeError } from "./errors.ts";
import {
  checkSignature, checkVersion, encodeHistory, excludeColumns, inputsOf, outputsOf, padRight, scoreInPieces,
  type Entry, type Ranked, type Session, type Tensors,
} from "./session.ts";
import type { Variant } from "./types.ts";

/** The part of onnxruntime-common that is used: `import * as ort from "onnxruntime-web/wasm"` fits. */
export interface Ort {
  readonly env: {
    readonly versions: { readonly web?: string; readonly node?: string };
    readonly wasm?: { numThreads?: number };
  };
  readonly InferenceSession: {
    create(path: string, options?: object): Promise<OrtSession>;
    create(data: Uint8Array, options?: object): Promise<OrtSession>;
  };
  readonly Tensor: new (
    type: "int32" | "int64",
    data: Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>,
    dims: readonly number[],
  ) => OrtTensor;
}

interface OrtTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata?: readonly Metadata[];
  readonly outputMetadata?: readonly Metadata[];
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

interface Metadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly unknown[];
}

export class OnnxSession implements Session {
  private scoring: Promise<OrtSession> | undefined;

  private constructor(
    private readonly ort: Ort,
    private readonly bundle: Bundle,
    private readonly variant: Variant,
    private readonly threads: number,
    private readonly recommending: OrtSession,
  ) {}

  /** Return a session of that variant, its recommend model loaded. */
  static async open(ort: Ort, bundle: Bundle, variant: Variant, threads: number): Promise<OnnxSession> {
    const { web, node } = ort.env.versions;
    checkVersion(engineOf(ort), web ?? node ?? "", variant);
    if (ort.env.wasm && !ort.env.wasm.numThreads) ort.env.wasm.numThreads = threads;
    return new OnnxSession(ort, bundle, variant, threads, await load(ort, bundle, variant, threads, "recommend"));
  }

  async recommend(history: readonly number[], exclude: readonly number[], k: number): Promise<Ranked> {
    const { variant } = this;
    const rows = variant.fixed_batch || 1;
    const columns = excludeColumns(exclude, variant, 0);
    const outputs = await this.recommending.run({
      history: this.history(history),
      exclude: new this.ort.Tensor("int32", padRight(exclude, columns, rows), [rows, columns]),
      ...(variant.fixed_k ? {} : { k: new this.ort.Tensor("int64", BigInt64Array.of(BigInt(k)), [1]) }),
    });
    return {
      items: (outputs["items"]!.data as Int32Array).subarray(0, k),
      scores: (outputs["scores"]!.data as Float32Array).subarray(0, k),
    };
  }

  async score(history: readonly number[], candidates: readonly number[]): Promise<Float32Array> {
    this.scoring ??= load(this.ort, this.bundle, this.variant, this.threads, "score");
    this.scoring.catch(() => (this.scoring = undefined)); // what broke off may be fetched again
    const session = await this.scoring;
    const rows = this.variant.fixed_batch || 1;
    return scoreInPieces(candidates, this.variant, async (piece, columns) => {
      const outputs = await session.run({
        history: this.history(history),
        candidates: new this.ort.Tensor("int32", padRight(piece, columns, rows), [rows, columns]),
      });
      return outputs["scores"]!.data as Float32Array;
    });
  }

  async close(): Promise<void> {
    await this.recommending.release();
    await (await this.scoring)?.release();
  }

  private history(history: readonly number[]): OrtTensor {
    const rows = this.variant.fixed_batch || 1;
    const encoded = encodeHistory(history, this.variant.fixed_history, rows);
    return new this.ort.Tensor("int32", encoded, [rows, encoded.length / rows]);
  }
}

/** Return the module, or say which package is missing. */
export async function importOrt(name: string, load: () => Promise<unknown>, variant: Variant): Promise<Ort> {
  try {
    const loaded = (await load()) as { default?: Ort } & Ort;
    return loaded.default ?? loaded;
  } catch (error) {
    throw new MissingRuntimeError(
      `variant ${variant.name} needs ${name}, which cannot be imported (${(error as Error).message}). ` +
        `Run: npm install ${name}`,
      { cause: error },
    );
  }
}

function engineOf(ort: Ort): string {
  return ort.env.versions.web === undefined ? "onnxruntime-node" : "onnxruntime-web";
}

async function load(ort: Ort, bundle: Bundle, variant: Variant, threads: number, entry: Entry): Promise<OrtSession> {
  const path = variant.entries[entry] ?? "";
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3, // errors only: warnings name nodes, which say nothing to a caller
    ...(threads > 1 ? { extra: { session: { intra_op: { allow_spinning: "0" } } } } : {}),
  };
  const session = await create(ort, bundle, variant, path, options);
  checkSignature(path, "inputs", tensors(session.inputNames, session.inputMetadata, inputsOf(entry, variant)), inputsOf(entry, variant));
  checkSignature(path, "outputs", tensors(session.outputNames, session.outputMetadata, outputsOf(entry)), outputsOf(entry));
  return session;
}

async function create(
  ort: Ort, bundle: Bundle, variant: Variant, path: string, options: object,
): Promise<OrtSession> {
  const local = ort.env.versions.web === undefined ? bundle.source.localPath(path) : null;
  const place = bundle.source.localPath(path) ?? bundle.source.place + path;
  const [model, externalData] = local === null ? await contents(bundle, variant, path) : [local, []];
  try {
    const all = externalData.length > 0 ? { ...options, externalData } : options;
    return await (typeof model === "string" ? ort.InferenceSession.create(model, all) : ort.InferenceSession.create(model, all));
  } catch (error) {
    const { web, node } = ort.env.versions;
    throw new BundleError(
      `${place}: ${engineOf(ort)} ${web ?? node} cannot load it: ${String((error as Error).message ?? error).slice(0, 300)}. ` +
        "Check the files with `sasrec-edge verify`, or export the bundle again.",
      { cause: error },
    );
  }
}

/** Return the bytes of a model file and of the weights beside it, under the names by which the model knows them. */
async function contents(
  bundle: Bundle, variant: Variant, path: string,
): Promise<[Uint8Array, { path: string; data: Uint8Array }[]]> {
  const models = new Set(Object.values(variant.entries));
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const weights = variant.files.filter((file) => !models.has(file.path));
  const model = variant.files.find((file) => file.path === path)!;
  const [data, ...externals] = await Promise.all([model, ...weights].map((file) => bundle.read(file)));
  return [data!, weights.map((file, i) => ({ path: file.path.slice(folder.length), data: externals[i]! }))];
}

/** Name → dtype and rank; where the engine does not tell them, the names alone are compared. */
function tensors(names: readonly string[], metadata: readonly Metadata[] | undefined, expected: Tensors): Tensors {
  return Object.fromEntries(
    names.map((name, i) => {
      const seen = metadata?.[i];
      if (!seen) return [name, expected[name] ?? ["?", -1]];
      return [name, [seen.type ?? "?", seen.shape && seen.shape.length > 0 ? seen.shape.length : -1]];
    }),
  );
}
