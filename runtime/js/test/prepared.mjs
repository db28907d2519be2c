// Answers one request with keys and with what was made of them once: node prepared.mjs BUNDLE. Prints both answers.
import { AllowedSet, Groups, Recommender } from "../dist/node.js";

const recommender = await Recommender.load(process.argv[2]);
const [keys, kinds] = [["eggs", "bread", "dates"], { eggs: "a", dates: "a", bread: "b" }];
const given = { k: 3, among: new Set(keys), groups: new Map(Object.entries(kinds)), atMostPerGroup: 1 };
const made = { ...given, among: AllowedSet.of(keys, recommender), groups: Groups.of(kinds, recommender) };
console.log(JSON.stringify([await recommender.recommend(["apple"], given), await recommender.recommend(["apple"], made)]));
