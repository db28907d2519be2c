/**
 * The k best items of an allowed set, with a limit for each group: exact, on either entry of a variant.
 *
 * The algorithm of sasrec_runtime/selection/search.py: few allowed items are scored; many, and the whole catalogue, are
 * ranked with all others excluded. Items are taken from the best down; where the list ends too early, the next one is
 * asked for without the groups that are full.
 */
import type { AllowedSet } from "./allowed_set.ts";
import type { Limits } from "./groups.ts";
import type { Session } from "./session.ts";
import type { Variant } from "./types.ts";
import { PAD_ID } from "./vocabulary.ts";

/** Allowed items up to which they are scored, whatever the catalogue's size; beyond, one of SCORED_SHARE items. */
const SCORED_ITEMS = 1024;
const SCORED_SHARE = 16;
/** Candidates in one call at most: the engine holds the vector of each. */
const SCORED_AT_ONCE = 1 << 14;

/** An item and its score. */
export type Scored = readonly [id: number, score: number];

/** One history, and which items may be its answer. */
export interface Request {
  readonly newest: readonly number[];
  readonly excluded: readonly number[];
  readonly among: AllowedSet | undefined;
}

/** Answers requests on one session. */
export class Search {
  constructor(private readonly session: Session, private readonly variant: Variant, private readonly nItems: number) {}

  /** Return the answer to a request, the best first: shorter than k only where fewer items can be taken. */
  async best(request: Request, k: number, limits: Limits): Promise<Scored[]> {
    const gone = new Uint8Array(this.nItems + 1); // 1: cannot be taken
    gone[PAD_ID] = 1;
    for (const id of [...request.excluded, ...limits.leftOut]) gone[id] = 1;
    const { among } = request;
    if (among && among.itemIds.length <= Math.max(SCORED_ITEMS, Math.floor(this.nItems / SCORED_SHARE))) {
      return this.byScore(request, gone, k, limits);
    }
    return (await this.byRecommend(request, gone.slice(), k, limits)) ?? this.byScore(request, gone, k, limits);
  }

  private async byScore({ newest, among }: Request, gone: Uint8Array, k: number, limits: Limits): Promise<Scored[]> {
    const ids = (among?.itemIds ?? Array.from(gone.keys())).filter((id) => !gone[id]);
    const scored: Scored[] = [];
    for (let start = 0; start < ids.length; start += SCORED_AT_ONCE) {
      const piece = ids.slice(start, start + SCORED_AT_ONCE);
      const scores = await this.session.score(newest, piece);
      piece.forEach((id, i) => scored.push([id, scores[i]!]));
    }
    scored.sort(([, a], [, b]) => b - a); // it is stable: ties to the lower id
    const counts = new Map<string, number>();
    const taken: Scored[] = [];
    for (const one of scored) {
      if (taken.length === k) break;
      if (limits.take(one[0], counts)) taken.push(one);
    }
    return taken;
  }

  /** Return undefined where the variant has no room for what must be excluded. */
  private async byRecommend(
    { newest, among }: Request, gone: Uint8Array, k: number, limits: Limits,
  ): Promise<Scored[] | undefined> {
    if (among) {
      const allowed = new Uint8Array(gone.length);
      for (const id of among.itemIds) allowed[id] = 1;
      for (let id = 1; id < gone.length; id++) if (!allowed[id]) gone[id] = 1;
    }
    const asked = limits.passesOver ? Math.min(2 * k, this.variant.fixed_k || this.nItems) : k;
    const counts = new Map<string, number>();
    const taken: Scored[] = [];
    for (;;) {
      const exclude: number[] = [];
      for (let id = 1; id < gone.length; id++) if (gone[id]) exclude.push(id);
      if (this.variant.fixed_exclude && exclude.length > this.variant.fixed_exclude) return undefined;
      const { items, scores } = await this.session.recommend(newest, exclude, asked);
      for (let rank = 0; rank < items.length; rank++) {
        const id = items[rank]!;
        if (taken.length === k || id === PAD_ID) return taken;
        if (!limits.take(id, counts)) continue;
        taken.push([id, scores[rank]!]);
        gone[id] = 1;
      }
      if (taken.length === k) return taken;
      for (const id of limits.full(counts)) gone[id] = 1;
    }
  }
}
