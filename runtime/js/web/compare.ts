/** What differs between two lists of recommendations. */
import type { Item } from "../src/recommender.ts";

/** How an item stands to the other list: missing there, or that many places higher (+) or lower (-) here. */
export type Mark = "only" | number;

/** Return key → mark for the items of `list`, seen from `other`. */
export function marks(list: readonly Item[], other: readonly Item[]): Map<string, Mark> {
  const rankThere = new Map(other.map((item, rank) => [item.key, rank]));
  return new Map(
    list.map((item, rank) => {
      const there = rankThere.get(item.key);
      return [item.key, there === undefined ? "only" : there - rank];
    }),
  );
}

/** Return how well two lists agree, in a sentence. */
export function agreement(list: readonly Item[], other: readonly Item[]): string {
  const seen = marks(list, other);
  const shared = [...seen.values()].filter((mark) => mark !== "only");
  const placed = shared.filter((mark) => mark === 0).length;
  const scores = new Map(other.map((item) => [item.key, item.score]));
  const differences = list.flatMap((item) => {
    const score = scores.get(item.key);
    return item.score !== null && typeof score === "number" ? [Math.abs(item.score - score)] : [];
  });
  const largest = differences.length > 0 ? `; scores differ by ${Math.max(...differences).toFixed(3)} at most` : "";
  return `${shared.length} of ${list.length} in both lists, ${placed} at the same place${largest}.`;
}
