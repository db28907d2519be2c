/** The items that an answer may hold, from the caller's keys. */
import type { Bundle } from "./bundle.ts";
import { RequestError } from "./errors.ts";
import { repr } from "./sentences.ts";
import { PAD_ID, type Vocabulary } from "./vocabulary.ts";

/** What knows the items of a bundle: a Recommender. */
export interface KnowsItems {
  readonly bundle: Bundle;
  readonly vocabulary: Vocabulary;
}

/**
 * Items that an answer may hold, their keys looked up once: for a set that serves many requests.
 *
 * Order and repetition of the keys mean nothing. Keys outside the vocabulary are ignored, as in `exclude`.
 */
export class AllowedSet {
  private constructor(
    /** Ids in ascending order, each once. */
    readonly itemIds: readonly number[],
    /** Digest of items.txt of the bundle that it was made for. */
    readonly vocabularySha256: string,
  ) {}

  /** Return the set of these items. */
  static of(keys: Iterable<string>, recommender: KnowsItems): AllowedSet {
    const given = typeof keys === "object" && keys !== null && Symbol.iterator in keys ? [...keys] : keys;
    const ids = new Set(recommender.vocabulary.ids(given as string[], "drop", "among"));
    ids.delete(PAD_ID);
    const first = (given as string[])[0];
    if (first === undefined) {
      throw new RequestError("among is empty, expected at least one item key. Leave it out to allow every item.");
    }
    if (ids.size === 0) {
      throw new RequestError(
        `among holds ${repr(first)} and none of its keys is among the ${recommender.vocabulary.length} items of this ` +
          "bundle. Give keys as they stand in items.txt.",
      );
    }
    return new AllowedSet([...ids].sort((a, b) => a - b), vocabularyOf(recommender));
  }
}

/** Return an allowed set as it is given, or from its keys. */
export function asAllowedSet(among: Iterable<string> | AllowedSet, recommender: KnowsItems): AllowedSet {
  if (!(among instanceof AllowedSet)) return AllowedSet.of(among, recommender);
  checkSameVocabulary("among", among.vocabularySha256, recommender);
  return among;
}

/** Refuse what was made for a bundle with other items: its ids would mean others. */
export function checkSameVocabulary(place: string, sha256: string, recommender: KnowsItems): void {
  if (sha256 === vocabularyOf(recommender)) return;
  throw new RequestError(
    `${place} was made for a bundle with other items than ${recommender.bundle.source.place}. Make it for this one.`,
  );
}

export function vocabularyOf(recommender: KnowsItems): string {
  return recommender.bundle.manifest.vocabulary.items.sha256;
}
