/** ONNX variants on onnxruntime-web or onnxruntime-node. */
import { AnswerCheck } from "./answers.ts";
import type { Bundle } from "./bundle.ts";
import { MissingRuntimeError } from "./errors.ts";
import { reason } from "./sentences.ts";
import {
  checkSignature, checkVersion, encodeHistory, excludeColumns, failed, inputsOf, notLoaded, outputsOf, padRight,
  scoreInPieces, type Entry, type Ranked, type Session, type Tensors,
} from "./session.ts";
import type { FileEntry, Variant } from "./types.ts";

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
  private readonly check: AnswerCheck;

  private constructor(
    private readonly ort: Ort,
    private readonly bundle: Bundle,
    private readonly variant: Variant,
    private readonly threads: number,
    private readonly recommending: OrtSession,
  ) {
    this.check = new AnswerCheck(variant, bundle.manifest.model.n_items);
  }

  /** Return a session of that variant, its recommend model loaded. */
  static async open(ort: Ort, bundle: Bundle, variant: Variant, threads: number): Promise<OnnxSession> {
    const { web, node } = ort.env.versions;
    checkVersion(nameOf(ort), web ?? node ?? "", variant);
    if (ort.env.wasm && !ort.env.wasm.numThreads) ort.env.wasm.numThreads = threads;
    return new OnnxSession(ort, bundle, variant, threads, await load(ort, bundle, variant, threads, "recommend"));
  }

  async recommend(history: readonly number[], exclude: readonly number[], k: number): Promise<Ranked> {
    const { variant } = this;
    const rows = variant.fixed_batch || 1;
    const columns = excludeColumns(exclude, variant, 0);
    const outputs = await this.run("recommend", this.recommending, () => ({
      history: this.history(history),
      exclude: new this.ort.Tensor("int32", padRight(exclude, columns, rows), [rows, columns]),
      ...(variant.fixed_k ? {} : { k: new this.ort.Tensor("int64", BigInt64Array.of(BigInt(k)), [1]) }),
    }));
    return this.check.ranked(outputs["items"]?.data, outputs["scores"]?.data, [rows, variant.fixed_k || k], exclude, k);
  }

  async score(history: readonly number[], candidates: readonly number[]): Promise<Float32Array> {
    const session = await this.scoreModel();
    const rows = this.variant.fixed_batch || 1;
    return scoreInPieces(candidates, this.variant, async (piece, columns) => {
      const outputs = await this.run("score", session, () => ({
        history: this.history(history),
        candidates: new this.ort.Tensor("int32", padRight(piece, columns, rows), [rows, columns]),
      }));
      return this.check.scored(outputs["scores"]?.data, [rows, columns], piece.length);
    });
  }

  async close(): Promise<void> {
    try {
      await this.recommending.release();
      await (await this.scoring?.catch(() => undefined))?.release();
    } catch (error) {
      throw failed("closed", engineOf(this.ort), this.variant, error);
    }
  }

  /** Opened on its first use, long after the bundle was. */
  private scoreModel(): Promise<OrtSession> {
    if (this.scoring === undefined) {
      const open = () => load(this.ort, this.bundle, this.variant, this.threads, "score");
      this.scoring = this.bundle.later(open, (session) => session.release());
      this.scoring.catch(() => (this.scoring = undefined)); // what broke off may be fetched again
    }
    return this.scoring;
  }

  private async run(
    entry: Entry, session: OrtSession, feeds: () => Readonly<Record<string, OrtTensor>>,
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    try {
      return await session.run(feeds());
    } catch (error) {
      throw failed(`ran ${entry}`, engineOf(this.ort), this.variant, error);
    }
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
      `variant ${variant.name} needs ${name}, which cannot be imported (${reason(error)}). ` +
        `Run: npm install ${name}`,
      { cause: error },
    );
  }
}

function nameOf(ort: Ort): string {
  return ort.env.versions.web === undefined ? "onnxruntime-node" : "onnxruntime-web";
}

/** Name and version, for messages. */
function engineOf(ort: Ort): string {
  const { web, node } = ort.env.versions;
  return `${nameOf(ort)} ${web ?? node}`;
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
  try {
    const [inputs, outputs] = [inputsOf(entry, variant), outputsOf(entry)];
    checkSignature(path, "inputs", tensors(session.inputNames, session.inputMetadata, inputs), inputs);
    checkSignature(path, "outputs", tensors(session.outputNames, session.outputMetadata, outputs), outputs);
  } catch (error) {
    await session.release().catch(() => undefined);
    throw error;
  }
  return session;
}

/**
 * Let the engine read a model.
 *
 * It is given the bytes that were compared with the manifest, never a path to what may be other bytes by then; but for
 * models in a folder that are too large to be compared each time, which onnxruntime-node maps into memory itself.
 */
async function create(
  ort: Ort, bundle: Bundle, variant: Variant, path: string, options: object,
): Promise<OrtSession> {
  const local = ort.env.versions.web === undefined ? bundle.source.localPath(path) : null;
  const [model, weights] = filesOf(variant, path);
  const hashed = new Set(bundle.hashedFiles(variant));
  const mapped = local !== null && ![model, ...weights].every((file) => hashed.has(file));
  const [data, ...externals] = await bundle.readAll([model, ...weights].filter((file) => !mapped || hashed.has(file)));
  try {
    if (mapped) return await ort.InferenceSession.create(local, options);
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    // The model knows its weights by their paths from where it lies.
    const externalData = weights.map((file, i) => ({ path: file.path.slice(folder.length), data: externals[i]! }));
    return await ort.InferenceSession.create(data!, externalData.length > 0 ? { ...options, externalData } : options);
  } catch (error) {
    throw notLoaded(bundle.source.name(path), engineOf(ort), variant, error);
  }
}

/** Return the model file of that path, and the weights beside it. */
function filesOf(variant: Variant, path: string): [FileEntry, FileEntry[]] {
  const models = new Set(Object.values(variant.entries));
  return [variant.files.find((file) => file.path === path)!, variant.files.filter((file) => !models.has(file.path))];
}

/** Name → dtype and rank; where the engine does not tell them, the names alone are compared. */
function tensors(names: readonly string[], metadata: readonly Metadata[] | undefined, expected: Tensors): Tensors {
  return Object.fromEntries(
    names.map((name, i) => {
      const seen = metadata?.[i];
      if (!seen) return [name, (Object.hasOwn(expected, name) ? expected[name] : undefined) ?? ["?", -1]];
      return [name, [seen.type ?? "?", seen.shape && seen.shape.length > 0 ? seen.shape.length : -1]];
    }),
  );
}
