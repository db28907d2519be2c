/** The public way to use a bundle: item keys in, item keys with scores and titles out. */
import { asAllowedSet, type AllowedSet } from "./allowed_set.ts";
import { Bundle, type Verify } from "./bundle.ts";
import { BundleReplacedError, HistoryError, MissingRuntimeError, RequestError } from "./errors.ts";
import * as golden from "./golden.ts";
import { Limits, type GroupOptions } from "./groups.ts";
import { Search } from "./search.ts";
import { repr } from "./sentences.ts";
import { checkK, type Session } from "./session.ts";
import type { Source } from "./source.ts";
import type { FileEntry, Variant } from "./types.ts";
import { PAD_ID, Vocabulary, type Unknown } from "./vocabulary.ts";

/** One recommended item. */
export interface Item {
  /** The caller's key. */
  readonly key: string;
  /** Higher is better; no probability. null where popularity, not the model, chose the item. */
  readonly score: number | null;
  /** Name of the item, where the data has one. */
  readonly title: string | null;
}

/** Items, best first. Fewer than k where the catalogue minus the excluded items is. */
export interface Recommendations {
  readonly items: readonly Item[];
  /** True: the history was empty, and these are the most popular items of the training data. */
  readonly isFallback: boolean;
}

/** What `verify` found. */
export interface VariantCheck extends golden.Comparison {
  readonly variant: string;
  readonly status: "passed" | "failed";
  readonly checkMs: number;
}

export interface LoadOptions {
  /** Name of the variant; left out, the first that can run here. */
  readonly variant?: string;
  /** Threads one call computes on. */
  readonly threads?: number;
  /** For a history key outside the vocabulary: refuse it, leave it out, or keep its place as padding. */
  readonly unknown?: Unknown;
  /** What each file is compared with before an engine sees it; left out, SHA-256 where that takes at most 20 ms. */
  readonly verify?: Verify;
}

export interface RequestOptions extends GroupOptions {
  /** Number of items, in 1…n_items. */
  readonly k?: number;
  /** Keys not to return; those outside the vocabulary are ignored. */
  readonly exclude?: readonly string[];
  /** Leave out every item of the history, however old. */
  readonly excludeSeen?: boolean;
  /** The only items to return: keys, or an AllowedSet made once; keys outside the vocabulary are ignored. */
  readonly among?: Iterable<string> | AllowedSet;
}

/** Opens a session of a variant, or throws a MissingRuntimeError. */
export type OpenSession = (bundle: Bundle, variant: Variant, threads: number) => Promise<Session>;

/** How often a bundle is loaded that is replaced each time meanwhile. */
const ATTEMPTS = 4;
const MAX_THREADS = 1024;
const GROUP_OPTIONS = ["groups", "excludeGroups", "atMostPerGroup"] as const;
const UNKNOWNS: readonly Unknown[] = ["error", "drop", "map"];

/** A loaded variant of a bundle: the contract of the Python class of this name. */
export class Recommender {
  private closing: Promise<void> | undefined;

  private constructor(
    readonly bundle: Bundle,
    readonly variant: Variant,
    readonly session: Session,
    readonly vocabulary: Vocabulary,
    private readonly unknown: Unknown,
  ) {}

  /** Return a recommender for the bundle of a source. */
  static async open(source: Source, openSession: OpenSession, options: LoadOptions = {}): Promise<Recommender> {
    const { threads = 1, unknown = "error" } = options;
    if (!UNKNOWNS.includes(unknown)) {
      throw new RequestError(`unknown is ${repr(unknown)}, expected one of ${UNKNOWNS.join(", ")}.`);
    }
    if (!(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
      throw new RequestError(`threads is ${repr(threads)}, expected a whole number in 1…${MAX_THREADS}.`);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        const bundle = await Bundle.open(source, options.verify);
        const candidates = options.variant === undefined ? bundle.manifest.variants : [bundle.variant(options.variant)];
        const load = () => Recommender.firstRunnable(bundle, candidates, openSession, threads, unknown);
        return await bundle.inOneState(load, (recommender) => recommender.close());
      } catch (error) {
        // Replaced while it was loaded: the new one is what was asked for.
        if (!(error instanceof BundleReplacedError) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  private static async firstRunnable(
    bundle: Bundle, candidates: readonly Variant[], openSession: OpenSession, threads: number, unknown: Unknown,
  ): Promise<Recommender> {
    const failures: MissingRuntimeError[] = [];
    for (const variant of candidates) {
      try {
        const session = await openSession(bundle, variant, threads);
        const vocabulary = await Vocabulary.read(bundle).catch(async (error: unknown) => {
          await session.close().catch(() => undefined);
          throw error;
        });
        return new Recommender(bundle, variant, session, vocabulary, unknown);
      } catch (error) {
        if (!(error instanceof MissingRuntimeError)) throw error;
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0]!;
    const reasons = failures.map((failure) => failure.message).join(" ");
    throw new MissingRuntimeError(`No variant of ${bundle.source.place} can run. ${reasons}`);
  }

  /** Return the items most likely to come next after `keys`, a history, oldest first. */
  async recommend(keys: readonly string[], options: RequestOptions = {}): Promise<Recommendations> {
    const { k = 10, exclude = [], excludeSeen = true } = options;
    checkK(k, this.variant, this.bundle.manifest.model.n_items);
    const ids = this.vocabulary.ids(keys, this.unknown, "history");
    let excluded = this.vocabulary.ids(exclude, "drop", "exclude");
    if (excludeSeen) excluded = excluded.concat(ids);
    const newest = ids.slice(-this.bundle.manifest.model.max_len);
    const isNew = !newest.some((id) => id !== PAD_ID);
    if (options.among !== undefined || GROUP_OPTIONS.some((name) => options[name] !== undefined)) {
      const limits = new Limits(options, this);
      const among = options.among === undefined ? undefined : asAllowedSet(options.among, this);
      if (isNew) return this.fallback(k, excluded.concat(limits.leftOut), among, limits);
      const searching = new Search(this.session, this.variant, this.bundle.manifest.model.n_items);
      const found = await searching.best({ newest, excluded, among }, k, limits);
      return { items: found.map(([id, score]) => this.item(id, score)), isFallback: false };
    }
    if (isNew) return this.fallback(k, excluded);
    const ranked = await this.session.recommend(newest, excluded, k);
    const items: Item[] = [];
    ranked.items.forEach((id, rank) => {
      if (id !== PAD_ID) items.push(this.item(id, ranked.scores[rank]!));
    });
    return { items, isFallback: false };
  }

  /** Return how likely each candidate comes next, as `recommend` scores it. */
  async score(keys: readonly string[], candidates: readonly string[]): Promise<Float32Array> {
    const newest = this.vocabulary.ids(keys, this.unknown, "history").slice(-this.bundle.manifest.model.max_len);
    const candidateIds = this.vocabulary.ids(candidates, "error", "candidates");
    if (candidateIds.length === 0) throw new RequestError("candidates is empty, expected at least one item key.");
    if (!newest.some((id) => id !== PAD_ID)) {
      throw new HistoryError(
        "history is empty, or none of its newest items is known; expected at least one known item. " +
          "Rank newcomers by recommend([]), the most popular items.",
      );
    }
    return this.session.score(newest, candidateIds);
  }

  /**
   * Prove this client right: the digest of every file it uses, then the golden answers of its variant.
   *
   * A digest that differs throws a DigestError; answers that differ are in `failures`.
   */
  async verify(): Promise<VariantCheck> {
    const started = performance.now();
    golden.checkSize(this.bundle);
    const goldens = await this.bundle.later(async () => {
      await this.bundle.verifyDigests(this.files());
      return golden.read(this.bundle);
    });
    const comparison = await golden.check(goldens, this.variant, this.session, this.vocabulary);
    const status = comparison.failures.length > 0 ? "failed" : "passed";
    return { variant: this.variant.name, status, ...comparison, checkMs: performance.now() - started };
  }

  /** Return the files that this client uses: those of its variant, the vocabulary and the goldens. */
  files(): FileEntry[] {
    const { vocabulary, golden } = this.bundle.manifest;
    return [...this.variant.files, vocabulary.items, ...(vocabulary.titles ? [vocabulary.titles] : []), golden];
  }

  /** Free what the engine holds; a second call does nothing. */
  close(): Promise<void> {
    this.closing ??= this.session.close();
    return this.closing;
  }

  private item(id: number, score: number | null): Item {
    return { key: this.vocabulary.key(id), score, title: this.vocabulary.title(id) };
  }

  /** Allowed items that are not among the most popular ones follow these in the order of their ids. */
  private fallback(k: number, excluded: readonly number[], among?: AllowedSet, limits?: Limits): Recommendations {
    const leftOut = new Set(excluded);
    const { fallback_items } = this.bundle.manifest;
    const allowed = among && new Set(among.itemIds);
    const ranking = allowed ? new Set([...fallback_items.filter((id) => allowed.has(id)), ...allowed]) : fallback_items;
    const counts = new Map<string, number>();
    const items: Item[] = [];
    for (const id of ranking) {
      if (items.length === k) break;
      if (!leftOut.has(id) && (limits?.take(id, counts) ?? true)) items.push(this.item(id, null));
    }
    return { items, isFallback: true };
  }
}
