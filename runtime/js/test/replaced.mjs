// Replace a bundle at each moment of its life: node replaced.mjs, a request on standard input.
//
// CURRENT holds one bundle, OTHER another. While CURRENT is loaded they change places after the first file was read,
// then after the second, and so on; at last before the first `score`. Prints a list of [moment, error or answer].
import { renameSync } from "node:fs";
import { Recommender } from "../dist/node.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { place, current, other, options, history, candidates } = JSON.parse(Buffer.concat(chunks).toString());

function exchange() {
  renameSync(current, `${current}.aside`);
  renameSync(other, current);
  renameSync(`${current}.aside`, other);
}

async function outcome(action) {
  try {
    return await action();
  } catch (error) {
    return error.name;
  }
}

async function loadedWhileReplaced(moment) {
  let files = 0;
  const progress = () => {
    if (++files === moment) exchange();
  };
  const seen = await outcome(async () => {
    const recommender = await Recommender.load(place, { ...options, progress });
    const { items } = await recommender.recommend(history, { k: 3 });
    await recommender.close();
    return items.map((item) => [item.key, item.score]);
  });
  const replaced = files >= moment;
  if (replaced) exchange();
  return { replaced, row: [replaced ? `after file ${moment}` : "never", seen] };
}

const rows = [];
for (let moment = 1; ; moment++) {
  const { replaced, row } = await loadedWhileReplaced(moment);
  rows.push(row);
  if (!replaced) break;
}
const recommender = await Recommender.load(place, options);
exchange();
rows.push(["before score", await outcome(() => recommender.score(history, candidates))]);
rows.push(["before verify", await outcome(() => recommender.verify())]);
exchange();
rows.push(["put back", await outcome(async () => [...(await recommender.score(history, candidates))])]);
console.log(JSON.stringify(rows));
