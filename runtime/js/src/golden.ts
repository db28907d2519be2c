/** golden.json: histories with the answers each variant must give, and the tie-aware check of runtime/BUNDLE.md. */
import schema from "../schema/golden.schema.json" with { type: "json" };
import type { Bundle } from "./bundle.ts";
import { AnswerError, BundleError, EngineError, HistoryError, RequestError, SasrecError, UnknownItemError } from "./errors.ts";
import { JsonError, parse } from "./json.ts";
import { SchemaError, validate, type Schema } from "./json_schema.ts";
import { refuseNewer } from "./manifest.ts";
import { list, repr } from "./sentences.ts";
import type { Session } from "./session.ts";
import type { Answer, Case, Golden, Variant } from "./types.ts";
import { PAD_ID, type Vocabulary } from "./vocabulary.ts";

/** The newest golden.json this code reads. */
export const GOLDEN_VERSION = 1;

/** A golden.json is some hundred kilobytes; what is far larger is not read. */
const LIMIT_BYTES = 32 << 20;

/** What a client may get wrong, a failure of its check and no end to it. */
const FAILURES = [AnswerError, EngineError, HistoryError, RequestError];

/** What the goldens say of a variant. */
export interface Comparison {
  /** Golden cases that were compared. */
  readonly cases: number;
  /** One sentence per difference. */
  readonly failures: readonly string[];
  /** Largest difference of a score from the expected one at its rank. */
  readonly largestDifference: number;
}

/** Return the goldens of a bundle. */
export async function read(bundle: Bundle): Promise<Golden> {
  checkSize(bundle);
  return decode(await bundle.read(bundle.manifest.golden));
}

/** Refuse goldens that are too large to be read. */
export function checkSize({ manifest: { golden } }: Bundle): void {
  if (golden.bytes <= LIMIT_BYTES) return;
  throw new BundleError(`${golden.path} is ${golden.bytes} bytes, expected at most ${LIMIT_BYTES}. Export the bundle again.`);
}

/** Return the goldens in `data`, the content of golden.json. */
export function decode(data: Uint8Array): Golden {
  try {
    const value = parse(data);
    refuseNewer("golden.json", value, GOLDEN_VERSION);
    validate(value, schema as Schema);
    (value as Golden).cases.forEach(checkLengths);
    return value as Golden;
  } catch (error) {
    if (!(error instanceof JsonError || error instanceof SchemaError)) throw error;
    throw new BundleError(`golden.json: ${error.message}. Export the bundle again.`);
  }
}

/** Compare a session's answers with those of its variant: scores within `atol`, ids equal except among near-ties. */
export async function check(
  golden: Golden, variant: Variant, session: Session, vocabulary: Vocabulary,
): Promise<Comparison> {
  const cases = golden.cases.filter((each) => Object.hasOwn(each.answers, variant.name));
  if (cases.length === 0) {
    const failure = `golden.json has no answers of variant ${variant.name}, expected at least one.`;
    return { cases: 0, failures: [failure], largestDifference: Number.NaN };
  }
  const failures: string[] = [];
  let largestDifference = 0;
  for (const each of cases) {
    const expected = each.answers[variant.name]!;
    const seen = await answer(session, vocabulary, each);
    if (seen instanceof SasrecError) {
      failures.push(`${each.name}: ${seen.message}`);
      continue;
    }
    const sentences = [...historyFailures(each, vocabulary), ...answerFailures(each, seen, expected, variant.atol)];
    failures.push(...sentences.map((sentence) => `${each.name}: ${sentence}`));
    largestDifference = Math.max(
      largestDifference,
      largest(seen.scores, expected.scores),
      largest(seen.candidate_scores, expected.candidate_scores),
    );
  }
  return { cases: cases.length, failures, largestDifference };
}

/** Return what a session gives for a case, or why it gives no answer. */
async function answer(session: Session, vocabulary: Vocabulary, each: Case): Promise<Answer | SasrecError> {
  try {
    const ranked = await session.recommend(each.history_ids, each.exclude_ids, each.k);
    const taken = [...ranked.items.keys()].filter((rank) => ranked.items[rank] !== PAD_ID);
    const item_ids = taken.map((rank) => ranked.items[rank]!);
    const scored = each.candidate_ids.length > 0 ? await session.score(each.history_ids, each.candidate_ids) : [];
    return {
      item_ids,
      item_keys: item_ids.map((id) => vocabulary.key(id)),
      scores: taken.map((rank) => ranked.scores[rank]!),
      candidate_scores: [...scored],
    };
  } catch (error) {
    if (FAILURES.some((expected) => error instanceof expected)) return error as SasrecError;
    throw error;
  }
}

function historyFailures(each: Case, vocabulary: Vocabulary): string[] {
  try {
    const ids = vocabulary.ids(each.history, "error", "history");
    if (ids.length === each.history_ids.length && ids.every((id, i) => id === each.history_ids[i])) return [];
    return [`ids of the history are ${list(ids)}, expected ${list(each.history_ids)}.`];
  } catch (error) {
    if (error instanceof UnknownItemError) return [error.message];
    throw error;
  }
}

function answerFailures(each: Case, seen: Answer, expected: Answer, atol: number): string[] {
  if (seen.item_ids.length !== expected.item_ids.length) {
    return [`recommend gives ${seen.item_ids.length} items, expected ${expected.item_ids.length}.`];
  }
  const failures = [
    ...scoreFailures("scores", seen.scores, expected.scores, atol),
    ...idFailures(seen.item_ids, expected, 2 * atol),
  ];
  const excluded = new Set(each.exclude_ids);
  const allowed = [...new Set(seen.item_ids)].filter((id) => excluded.has(id)).sort((a, b) => a - b);
  if (allowed.length > 0) failures.push(`items hold ${list(allowed)}, which the case excludes.`);
  const keys = new Map(expected.item_ids.map((id, rank) => [id, expected.item_keys[rank]!]));
  seen.item_ids.forEach((id, rank) => {
    const key = seen.item_keys[rank]!;
    const right = keys.get(id) ?? key;
    if (right !== key) failures.push(`key of item ${id} is ${repr(key)}, expected ${repr(right)}.`);
  });
  return [...failures, ...scoreFailures("candidate_scores", seen.candidate_scores, expected.candidate_scores, atol)];
}

function scoreFailures(place: string, seen: readonly number[], expected: readonly number[], atol: number): string[] {
  if (seen.length !== expected.length) return [`${place} has ${seen.length} values, expected ${expected.length}.`];
  return seen.flatMap((score, i) =>
    Math.abs(score - expected[i]!) <= atol // not the other way round: NaN fails
      ? []
      : [
          `${place}[${i}] is ${Number(score.toPrecision(6))}, expected ${Number(expected[i]!.toPrecision(6))} ` +
            `within ${atol}.`,
        ],
  );
}

/** Compare ids rank by rank; scores at most `tie` apart may stand in any order, and at the last rank drop out. */
function idFailures(seen: readonly number[], expected: Answer, tie: number): string[] {
  if (new Set(seen).size < seen.length) return [`items are ${list(seen)}, expected each item once.`];
  const last = seen.length - 1;
  const rankSeen = new Map(seen.map((id, rank) => [id, rank]));
  const rankExpected = new Map(expected.item_ids.map((id, rank) => [id, rank]));
  const apart = (a: number, b: number) => Math.abs(expected.scores[a]! - expected.scores[b]!) > tie;
  const failures: string[] = [];
  for (const [id, rank] of rankExpected) {
    const found = rankSeen.get(id) ?? last;
    if (found === rank || !apart(rank, found)) continue;
    const where = rankSeen.has(id) ? `at rank ${found}` : "missing";
    failures.push(`item ${id} is ${where}, expected at rank ${rank}, where items[${rank}] is ${seen[rank]}.`);
  }
  for (const [id, rank] of rankSeen) {
    if (!rankExpected.has(id) && apart(rank, last)) {
      failures.push(`items[${rank}] is ${id}, expected ${expected.item_ids[rank]}.`);
    }
  }
  return failures;
}

function largest(seen: readonly number[], expected: readonly number[]): number {
  return expected.reduce((most, score, i) => Math.max(most, Math.abs((seen[i] ?? Number.NaN) - score)), 0);
}

function checkLengths(each: Case, index: number): void {
  const at = `at \`$.cases[${index}]`;
  for (const answer of Object.values(each.answers)) {
    const lengths = [answer.item_ids.length, answer.item_keys.length, answer.scores.length];
    if (new Set(lengths).size > 1) {
      throw new SchemaError(
        `item_ids, item_keys and scores have (${lengths.join(", ")}) values, expected as many of each - ${at}.answers[...]\``,
      );
    }
  }
  for (const [name, answer] of Object.entries(each.answers)) {
    const items = answer.item_ids.length;
    if (items > each.k) {
      throw new SchemaError(`${name}: item_ids has ${items} values, expected at most k = ${each.k} - ${at}\``);
    }
    const [scores, candidates] = [answer.candidate_scores.length, each.candidate_ids.length];
    if (scores !== candidates) {
      throw new SchemaError(
        `${name}: candidate_scores has ${scores} values, expected ${candidates}, one per candidate - ${at}\``,
      );
    }
  }
}
