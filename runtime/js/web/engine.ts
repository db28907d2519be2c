/** The bundle in this browser: which variants stand side by side, what was loaded for them, how long a call takes. */
import { BundleReplacedError, Recommender } from "../src/browser.ts";
import type { Recommendations, VariantCheck } from "../src/recommender.ts";
import type { Manifest, Variant } from "../src/types.ts";

export interface Answer extends Recommendations {
  readonly ms: number;
}

export class Engine {
  private readonly bytesOf = new Map<string, number>();
  private readonly loaded = new Map<string, Promise<Recommender>>();

  private constructor(
    private readonly url: string,
    private readonly first: Recommender,
  ) {}

  get manifest(): Manifest {
    return this.first.bundle.manifest;
  }

  /** Load the first variant, and with it the vocabulary. */
  static async load(url: string): Promise<Engine> {
    const bytes = new Map<string, number>();
    const progress = (path: string, n: number) => void bytes.set(path, (bytes.get(path) ?? 0) + n);
    const first = await Recommender.load(url, { progress });
    await warm(first);
    const engine = new Engine(url, first);
    for (const [path, n] of bytes) engine.bytesOf.set(path, n);
    engine.loaded.set(first.variant.name, Promise.resolve(first));
    return engine;
  }

  /** The variants that onnxruntime-web runs. */
  get variants(): readonly Variant[] {
    return this.manifest.variants.filter((variant) => variant.runtime === "onnx");
  }

  /** Two to stand side by side: the reference first, then the bundle's default; one, where there is no other. */
  pair(): readonly Variant[] {
    const [first] = this.variants;
    const reference = this.variants.find((variant) => variant.recipe === "fp32");
    return reference && first && reference !== first ? [reference, first] : this.variants.slice(0, 2);
  }

  /** Bytes read so far, of all files or of those of one variant. */
  bytes(variant?: Variant): number {
    const wanted = variant && new Set(variant.files.map((file) => file.path));
    let sum = 0;
    for (const [path, n] of this.bytesOf) if (!wanted || wanted.has(path)) sum += n;
    return sum;
  }

  recommender(variant: Variant): Promise<Recommender> {
    let loading = this.loaded.get(variant.name);
    if (!loading) {
      const seen = new Map<string, number>();
      const sizes = new Map(this.manifest.variants.flatMap(({ files }) => files.map(({ path, bytes }) => [path, bytes])));
      const progress = (path: string, n: number) => {
        seen.set(path, (seen.get(path) ?? 0) + n);
        this.bytesOf.set(path, Math.max(this.bytesOf.get(path) ?? 0, Math.min(seen.get(path)!, sizes.get(path) ?? Infinity)));
      };
      loading = Recommender.load(this.url, { variant: variant.name, progress }).then((next) => this.checked(next)).then(warm);
      loading.catch(() => this.loaded.delete(variant.name)); // it may be tried again
      this.loaded.set(variant.name, loading);
    }
    return loading;
  }

  /** Refuse a variant of another bundle than the first: the lists that stand side by side are those of one. */
  private async checked(recommender: Recommender): Promise<Recommender> {
    if (recommender.bundle.isSame(this.first.bundle)) return recommender;
    await recommender.close();
    throw new BundleReplacedError(`${this.url}: the bundle was replaced after this page opened it. Reload the page.`);
  }

  async recommend(variant: Variant, keys: readonly string[], k: number): Promise<Answer> {
    const recommender = await this.recommender(variant);
    const started = performance.now();
    const answer = await recommender.recommend(keys, { k });
    return { ...answer, ms: performance.now() - started };
  }

  /** Fetch what the pair may need later, so that the service worker has it: no call to the server after this. */
  async keep(): Promise<void> {
    for (const variant of this.pair()) {
      const recommender = await this.recommender(variant);
      await recommender.bundle.later(() => recommender.bundle.readAll(recommender.files()));
    }
  }

  async verify(variant: Variant): Promise<VariantCheck> {
    return (await this.recommender(variant)).verify();
  }
}

/** Make the first call, which takes ten times as long as those that are shown. */
async function warm(recommender: Recommender): Promise<Recommender> {
  await recommender.session.recommend([1], [], 1);
  return recommender;
}

/** Bytes of the engine itself, from the browser's own books. */
export function engineBytes(): number {
  const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  return entries.filter((entry) => entry.name.includes("/ort/")).reduce((sum, entry) => sum + entry.encodedBodySize, 0);
}
