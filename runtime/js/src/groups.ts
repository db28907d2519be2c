/** Groups of items, such as genres, sellers or age ratings, and what a request says about them. */
import { checkSameVocabulary, vocabularyOf, type KnowsItems } from "./allowed_set.ts";
import { RequestError } from "./errors.ts";
import { repr } from "./sentences.ts";

const LISTED = 300;

/** Item key → group. */
export type GroupOfKey = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

/**
 * The group of each item of a bundle, their keys looked up once; an item is in one group at most.
 *
 * Keys outside the vocabulary are ignored.
 */
export class Groups {
  private constructor(
    private readonly ofItem: ReadonlyMap<number, string>,
    private readonly members: ReadonlyMap<string, readonly number[]>,
    /** Digest of items.txt of the bundle that they were made for. */
    readonly vocabularySha256: string,
  ) {}

  /** Return the groups of a Map, or of an object, of item key → group. */
  static of(groups: GroupOfKey, recommender: KnowsItems): Groups {
    if (typeof groups !== "object" || groups === null || Array.isArray(groups)) {
      throw new RequestError(`groups is ${repr(groups)}, expected a mapping of item key to group.`);
    }
    const entries: readonly (readonly [unknown, unknown])[] = [...(groups instanceof Map ? groups : Object.entries(groups))];
    const ofItem = new Map<number, string>();
    const members = new Map<string, number[]>();
    for (const [key, group] of entries) {
      if (typeof key !== "string" || typeof group !== "string" || group === "") {
        throw new RequestError(
          `groups holds ${repr(key)}: ${repr(group)}, expected text for both. Leave out an item that has no group.`,
        );
      }
      if (!members.has(group)) members.set(group, []);
      for (const id of recommender.vocabulary.ids([key], "drop", "groups")) {
        ofItem.set(id, group);
        members.get(group)!.push(id);
      }
    }
    if (ofItem.size === 0) {
      throw new RequestError(
        `groups holds ${entries.length} items, and none is among the ${recommender.vocabulary.length} items of this ` +
          "bundle. Give keys as they stand in items.txt.",
      );
    }
    return new Groups(ofItem, members, vocabularyOf(recommender));
  }

  /** Return the group of an item, undefined if it has none. */
  groupOf(itemId: number): string | undefined {
    return this.ofItem.get(itemId);
  }

  /** Return the ids of a group; `place` is what messages call its name. */
  itemsOf(name: string, place: string): readonly number[] {
    const items = this.members.get(name);
    if (items) return items;
    const names = [...this.members.keys()].sort().join(", ");
    const listed = names.length <= LISTED ? names : `${names.slice(0, LISTED)}…`;
    throw new RequestError(`${place} is ${repr(name)}, expected one of the ${this.members.size} groups: ${listed}.`);
  }
}

/** What a request may say about groups. */
export interface GroupOptions {
  /** The groups of the items, for the next two: a Map or an object of key → group, or Groups made once. */
  readonly groups?: Groups | GroupOfKey;
  /** Names of groups whose items not to return. */
  readonly excludeGroups?: readonly string[];
  /** Items of one group at most; items without a group are not counted. */
  readonly atMostPerGroup?: number;
}

/** What holds for an answer. */
export class Limits {
  /** Items of excluded groups. */
  readonly leftOut: readonly number[];
  private readonly counted: Groups | undefined;
  private readonly atMost: number;

  /** Check the options, and refuse what cannot hold. */
  constructor({ groups, excludeGroups = [], atMostPerGroup }: GroupOptions, recommender: KnowsItems) {
    if (atMostPerGroup !== undefined && !Number.isInteger(atMostPerGroup)) {
      throw new RequestError(`atMostPerGroup is ${repr(atMostPerGroup)}, expected a whole number from 1.`);
    }
    if (atMostPerGroup !== undefined && atMostPerGroup < 1) {
      throw new RequestError(
        `atMostPerGroup is ${atMostPerGroup}, expected at least 1. Exclude groups by excludeGroups.`,
      );
    }
    if (!Array.isArray(excludeGroups)) {
      throw new RequestError(
        `excludeGroups is ${repr(excludeGroups)}, expected a sequence of names of groups. Put it into a list.`,
      );
    }
    this.atMost = atMostPerGroup ?? Infinity;
    this.leftOut = [];
    if (groups === undefined) {
      const needs = atMostPerGroup !== undefined ? "atMostPerGroup" : "excludeGroups";
      if (atMostPerGroup === undefined && excludeGroups.length === 0) return;
      throw new RequestError(`${needs} is given without groups, expected both. Give the groups of the items, too.`);
    }
    const made = groups instanceof Groups ? groups : Groups.of(groups, recommender);
    checkSameVocabulary("groups", made.vocabularySha256, recommender);
    this.leftOut = (excludeGroups as string[]).flatMap((name, i) => made.itemsOf(name, `excludeGroups[${i}]`));
    if (atMostPerGroup !== undefined) this.counted = made;
  }

  /** Whether a ranking may hold items that are passed over. */
  get passesOver(): boolean {
    return this.counted !== undefined;
  }

  /** Count an item where its group has room; false if it has none. */
  take(itemId: number, counts: Map<string, number>): boolean {
    const group = this.counted?.groupOf(itemId);
    if (group === undefined) return true;
    const count = counts.get(group) ?? 0;
    if (count >= this.atMost) return false;
    counts.set(group, count + 1);
    return true;
  }

  /** Return the items of the groups that have no room left. */
  full(counts: ReadonlyMap<string, number>): number[] {
    return [...counts].flatMap(([group, count]) => (count < this.atMost ? [] : this.counted!.itemsOf(group, "groups")));
  }
}
