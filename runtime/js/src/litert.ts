/**
 * TFLite variants on LiteRT.js, in browsers.
 *
 * LiteRT.js 2.5.3 cannot resize an input: it runs the variants whose shapes are all fixed.
 */
import { AnswerCheck } from "./answers.ts";
import type { Bundle } from "./bundle.ts";
import { MissingRuntimeError, SignatureError } from "./errors.ts";
import {
  checkSignature, encodeHistory, excludeColumns, failed, inputsOf, notLoaded, outputsOf, padRight,
  scoreInPieces, type Entry, type Ranked, type Session, type Tensors,
} from "./session.ts";
import type { Variant } from "./types.ts";

/** The part of `@litertjs/core` that is used: `import * as litert from "@litertjs/core"` fits. */
export interface LiteRt {
  getGlobalLiteRtPromise(): Promise<unknown> | undefined;
  loadAndCompile(model: Uint8Array, options: { accelerator: "wasm" }): Promise<CompiledModel>;
  readonly Tensor: new (data: Int32Array, shape: number[]) => LiteRtTensor;
}

interface LiteRtTensor {
  data(): Promise<unknown>;
  delete(): void;
}

interface CompiledModel {
  readonly signatures: Readonly<Record<string, Runner>>;
  delete(): void;
}

interface Runner {
  getInputDetails(): readonly Details[];
  getOutputDetails(): readonly Details[];
  run(inputs: Record<string, LiteRtTensor>): Promise<Record<string, LiteRtTensor>>;
}

interface Details {
  readonly name: string;
  readonly dtype: string;
  readonly shape: { readonly length: number };
}

/** LiteRT.js does not tell its version. */
const ENGINE = "LiteRT.js";

export class LiteRtSession implements Session {
  /** A compiled model holds one call's state, so calls wait for one another. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly litert: LiteRt,
    private readonly variant: Variant,
    private readonly model: CompiledModel,
    private readonly check: AnswerCheck,
  ) {}

  /** Return a session of that variant; LiteRT.js must be loaded. */
  static async open(litert: LiteRt, bundle: Bundle, variant: Variant): Promise<LiteRtSession> {
    if (!variant.fixed_history || !variant.fixed_exclude || !variant.fixed_candidates) {
      throw new MissingRuntimeError(
        `variant ${variant.name} takes inputs of any length, which LiteRT.js cannot resize. ` +
          "Take an ONNX variant, or export one with fixed shapes.",
      );
    }
    if (litert.getGlobalLiteRtPromise() === undefined) {
      throw new MissingRuntimeError(
        `variant ${variant.name} needs LiteRT.js, which is not loaded. Call loadLiteRt(folder of its wasm files) first.`,
      );
    }
    await litert.getGlobalLiteRtPromise();
    const path = variant.entries["recommend"] ?? "";
    const data = await bundle.read(variant.files.find((file) => file.path === path)!);
    const model = await litert.loadAndCompile(data, { accelerator: "wasm" }).catch((error: unknown) => {
      throw notLoaded(bundle.source.name(path), ENGINE, variant, error);
    });
    try {
      for (const entry of ["recommend", "score"] as const) checkEntry(path, model, entry, variant);
    } catch (error) {
      model.delete();
      throw error;
    }
    return new LiteRtSession(litert, variant, model, new AnswerCheck(variant, bundle.manifest.model.n_items));
  }

  async recommend(history: readonly number[], exclude: readonly number[], k: number): Promise<Ranked> {
    const columns = excludeColumns(exclude, this.variant, 1);
    const outputs = await this.run("recommend", { history: this.history(history), exclude: padRight(exclude, columns, this.rows) });
    return this.check.ranked(outputs["items"], outputs["scores"], [this.rows, this.variant.fixed_k || k], exclude, k);
  }

  score(history: readonly number[], candidates: readonly number[]): Promise<Float32Array> {
    return scoreInPieces(candidates, this.variant, async (piece, columns) => {
      const inputs = { history: this.history(history), candidates: padRight(piece, columns, this.rows) };
      const { scores } = await this.run("score", inputs);
      return this.check.scored(scores, [this.rows, columns], piece.length);
    });
  }

  async close(): Promise<void> {
    await this.last;
    try {
      this.model.delete();
    } catch (error) {
      throw failed("closed", ENGINE, this.variant, error);
    }
  }

  private get rows(): number {
    return this.variant.fixed_batch || 1;
  }

  private history(history: readonly number[]): Int32Array {
    return encodeHistory(history, this.variant.fixed_history, this.rows);
  }

  private run(entry: Entry, arrays: Readonly<Record<string, Int32Array>>): Promise<Record<string, unknown>> {
    const next = this.last.then(() => this.runNow(entry, arrays));
    this.last = next.catch(() => undefined);
    return next;
  }

  /** LiteRT.js frees no tensor by itself. */
  private async runNow(entry: Entry, arrays: Readonly<Record<string, Int32Array>>): Promise<Record<string, unknown>> {
    const inputs: Record<string, LiteRtTensor> = {};
    for (const [name, data] of Object.entries(arrays)) {
      inputs[name] = new this.litert.Tensor(data, [this.rows, data.length / this.rows]);
    }
    try {
      const outputs = await this.model.signatures[entry]!.run(inputs);
      const copies: Record<string, unknown> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        copies[name] = await tensor.data();
        tensor.delete();
      }
      return copies;
    } catch (error) {
      throw failed(`ran ${entry}`, ENGINE, this.variant, error);
    } finally {
      for (const tensor of Object.values(inputs)) tensor.delete();
    }
  }
}

function checkEntry(path: string, model: CompiledModel, entry: Entry, variant: Variant): void {
  const runner = model.signatures[entry];
  if (!runner) {
    const seen = Object.keys(model.signatures).join(", ") || "none";
    throw new SignatureError(`${path}: signatures are ${seen}, expected recommend, score. Export the bundle again.`);
  }
  checkSignature(`${path} ${entry}`, "inputs", tensors(runner.getInputDetails()), inputsOf(entry, variant));
  checkSignature(`${path} ${entry}`, "outputs", tensors(runner.getOutputDetails()), outputsOf(entry));
}

function tensors(details: readonly Details[]): Tensors {
  return Object.fromEntries(details.map(({ name, dtype, shape }) => [name, [dtype, shape.length] as const]));
}
