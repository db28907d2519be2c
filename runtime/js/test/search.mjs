// Compares the search of the client with sorting everything, on a catalogue in which both entries serve allowed sets.
// Prints {compared, differing, calls}: the entries' calls, to show that both were used.
import { build } from "esbuild";

const N_ITEMS = 4000;
const SOURCE = 'export { Search } from "./search.ts"; export { AllowedSet } from "./allowed_set.ts"; export { Groups, Limits } from "./groups.ts";';
const { outputFiles } = await build({
  stdin: { contents: SOURCE, resolveDir: new URL("../src", import.meta.url).pathname, loader: "ts" },
  bundle: true, format: "esm", write: false,
});
const code = Buffer.from(outputFiles[0].contents).toString("base64");
const { Search, AllowedSet, Groups, Limits } = await import(`data:text/javascript;base64,${code}`);

let state = 1;
/** Return a whole number below n: mulberry32, so that every run compares the same. */
function below(n) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const some = (count) => [...new Set(Array.from({ length: count }, () => 1 + below(N_ITEMS)))];

const recommender = {
  vocabulary: { length: N_ITEMS, ids: (keys) => keys.map(Number) },
  bundle: { manifest: { vocabulary: { items: { sha256: "" } } }, source: { place: "made up" } },
};
const calls = { recommend: 0, score: 0 };
let scores;
const ranking = (able) => able.sort((a, b) => scores[b] - scores[a] || a - b);
const every = Array.from({ length: N_ITEMS }, (_, i) => i + 1);
const session = {
  recommend: async (_, exclude, k) => {
    calls.recommend += 1;
    const gone = new Set(exclude);
    const best = ranking(every.filter((id) => !gone.has(id))).slice(0, k);
    const items = Int32Array.from({ length: k }, (_, i) => best[i] ?? 0);
    return { items, scores: Float32Array.from(items, (id) => (id ? scores[id] : -1e9)) };
  },
  score: async (_, candidates) => {
    calls.score += 1;
    return Float32Array.from(candidates, (id) => scores[id]);
  },
};

let differing = 0;
const compared = 200;
for (let trial = 0; trial < compared; trial++) {
  const levels = [3, 40, 100_000][below(3)];
  scores = Float32Array.from({ length: N_ITEMS + 1 }, () => below(levels));
  const k = 1 + below(10);
  const among = [undefined, some(1), some(20), some(1024), some(3000), every][below(6)];
  const excluded = some([0, 5, 2500][below(3)]);
  const kinds = 1 + below(50);
  const groupOf = Object.fromEntries(every.filter(() => below(5)).map((id) => [id, `g${below(2) * below(kinds)}`]));
  const atMost = [undefined, 1, 2, 5][below(4)];
  const excludeGroups = below(2) ? ["g0"] : [];
  const limits = new Limits({ groups: Groups.of(groupOf, recommender), excludeGroups, atMostPerGroup: atMost }, recommender);
  const variant = { fixed_k: below(2) ? 10 : 0, fixed_exclude: below(3) ? 0 : 2000 };
  const request = { newest: [1], excluded, among: among && AllowedSet.of(among.map(String), recommender) };
  const seen = await new Search(session, variant, N_ITEMS).best(request, k, limits);

  const [allowed, gone, counts, expected] = [new Set(among ?? every), new Set(excluded), {}, []];
  for (const id of ranking(every.filter((id) => allowed.has(id) && !gone.has(id) && !excludeGroups.includes(groupOf[id])))) {
    const group = groupOf[id];
    if (expected.length === k) break;
    if (group !== undefined && (counts[group] ?? 0) >= (atMost ?? Infinity)) continue;
    if (group !== undefined) counts[group] = (counts[group] ?? 0) + 1;
    expected.push([id, scores[id]]);
  }
  if (JSON.stringify(seen) !== JSON.stringify(expected)) differing += 1;
}
console.log(JSON.stringify({ compared, differing, calls }));
