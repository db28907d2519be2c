// Change bytes of a bundle and use it: node hostile.mjs FOLDER VARIANT STEP [resign]. The folder is changed and restored.
//
// One bit of every STEP-th byte of each file that the variant uses is turned over; `resign` writes the new digest into
// the manifest, as someone could who can write the bundle. Prints outcome → count; an error that is none of the
// package's is "bare: …", a hang ends the process.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Recommender, SasrecError } from "../dist/node.js";

const [folder, variant, step, resign] = process.argv.slice(2);
const manifestPath = join(folder, "manifest.json");
const manifestText = readFileSync(manifestPath, "utf8");
const HISTORY = ["apple", "bread"];

async function use() {
  const recommender = await Recommender.load(folder, { variant });
  try {
    const { items } = await recommender.recommend(HISTORY, { k: 4 });
    const scores = await recommender.score(HISTORY, ["eggs", "figs"]);
    const { status } = await recommender.verify();
    return `${status} ${JSON.stringify([items, [...scores]])}`;
  } finally {
    await recommender.close();
  }
}

async function outcome(right) {
  try {
    const seen = await use();
    return seen === right ? "same answers" : seen.startsWith("failed ") ? "verify fails" : "other answers pass";
  } catch (error) {
    return error instanceof SasrecError ? error.name : `bare: ${error?.name}: ${error?.message}`;
  }
}

function signed(file, data) {
  const manifest = JSON.parse(manifestText);
  const { vocabulary, golden, variants } = manifest;
  for (const entry of [...variants.flatMap(({ files }) => files), vocabulary.items, vocabulary.titles, golden]) {
    if (entry.path === file) entry.sha256 = createHash("sha256").update(data).digest("hex");
  }
  return JSON.stringify(manifest);
}

const right = await use();
const { variants, vocabulary, golden } = JSON.parse(manifestText);
const files = [...variants.find(({ name }) => name === variant).files, vocabulary.items, vocabulary.titles, golden];
const counts = {};
for (const { path } of files) {
  const data = readFileSync(join(folder, path));
  for (let at = 0; at < data.length; at += Number(step)) {
    const changed = Buffer.from(data);
    changed[at] ^= 1 << (at % 8);
    writeFileSync(join(folder, path), changed);
    if (resign) writeFileSync(manifestPath, signed(path, changed));
    const seen = await outcome(right);
    counts[seen] = (counts[seen] ?? 0) + 1;
  }
  writeFileSync(join(folder, path), data);
  writeFileSync(manifestPath, manifestText);
}
console.log(JSON.stringify(counts));
