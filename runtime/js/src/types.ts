/** What manifest.json and golden.json hold. Written by tools/write_js_schema.py: change the structs. */

/** The whole of manifest.json. */
export interface Manifest {
  readonly format_version: number;
  readonly model: ModelCard;
  readonly signature: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
  readonly variants: readonly Variant[];
  readonly vocabulary: Vocabulary;
  readonly fallback_items: readonly number[];
  readonly golden: FileEntry;
  readonly documents: readonly FileEntry[];
  readonly provenance: Provenance;
}

/** The network behind the variants. */
export interface ModelCard {
  readonly n_items: number;
  readonly max_len: number;
  readonly hidden_dim: number;
  readonly num_blocks: number;
  readonly num_heads: number;
  readonly hyper_parameters: Readonly<Record<string, unknown>>;
}

/** One way to run the model: a runtime, a recipe, and the files of both. */
export interface Variant {
  readonly name: string;
  readonly runtime: "onnx" | "tflite";
  readonly recipe: string;
  readonly entries: Readonly<Record<string, string>>;
  readonly files: readonly FileEntry[];
  readonly min_runtime_version: string;
  readonly atol: number;
  readonly fixed_k: number;
  readonly fixed_history: number;
  readonly fixed_batch: number;
  readonly fixed_exclude: number;
  readonly fixed_candidates: number;
  readonly parity: Readonly<Record<string, number>>;
  readonly quality: Readonly<Record<string, number>>;
}

/** One file of the bundle. */
export interface FileEntry {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The files that turn ids into the caller's keys and names. */
export interface Vocabulary {
  readonly items: FileEntry;
  readonly titles: FileEntry | null;
}

/** Where the model came from. */
export interface Provenance {
  readonly data: string;
  readonly data_sha256: string;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** The whole of golden.json. */
export interface Golden {
  readonly format_version: number;
  readonly cases: readonly Case[];
}

/** One request. */
export interface Case {
  readonly name: string;
  readonly history: readonly string[];
  readonly history_ids: readonly number[];
  readonly exclude_ids: readonly number[];
  readonly k: number;
  readonly candidate_ids: readonly number[];
  readonly answers: Readonly<Record<string, Answer>>;
}

/** The answer of one variant to a case. */
export interface Answer {
  readonly item_ids: readonly number[];
  readonly item_keys: readonly string[];
  readonly scores: readonly number[];
  readonly candidate_scores: readonly number[];
}
