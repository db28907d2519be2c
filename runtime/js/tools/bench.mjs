// Time a bundle in Node and in Chromium: node bench.mjs BUNDLE [CALLS]. Prints a table.
//
// A call is `recommend` of a golden history's newest 50 keys, k = 10. "JavaScript's share" is what a call takes beyond
// the engine's own run. "Transferred" is what a first visit reads over the network: the bundle's files as they are (a
// server may pack them), beside the engine, packed by gzip.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { launch, openPage, ROOT } from "./chromium.mjs";

const [bundle, calls = "1000"] = process.argv.slice(2);
const ENGINE = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

/** Runs in Node and, as text, in the page: it may use nothing from outside. */
async function time({ place, variant, histories, calls, engine }) {
  const { Recommender } = await import("sasrec-edge");
  const ort = await import(engine);
  const runtimes = { onnx: ort.default ?? ort }; // imported before the clock starts
  let transferred = 0;
  const started = performance.now();
  const recommender = await Recommender.load(place, { variant, runtimes, progress: (_, bytes) => (transferred += bytes) });
  const loadMs = performance.now() - started;
  // The engine's own run, seen from where the package calls it.
  let engineMs = 0;
  const session = recommender.session.recommending;
  const run = session.run.bind(session);
  session.run = async (feeds) => {
    const before = performance.now();
    const outputs = await run(feeds);
    engineMs += performance.now() - before;
    return outputs;
  };
  const wholes = [];
  const shares = [];
  let firstMs = 0;
  for (let i = -50; i < calls; i++) {
    engineMs = 0;
    const before = performance.now();
    await recommender.recommend(histories[(i + 50) % histories.length]);
    const whole = performance.now() - before;
    if (i === -50) firstMs = whole;
    if (i < 0) continue;
    wholes.push(whole);
    shares.push(whole - engineMs);
  }
  await recommender.close();
  const at = (times, share) => times.sort((a, b) => a - b)[Math.floor(share * (times.length - 1))];
  return { loadMs, firstMs, p50Ms: at(wholes, 0.5), p99Ms: at(wholes, 0.99), shareMs: at(shares, 0.5), transferred };
}

const manifest = JSON.parse(await readFile(join(bundle, "manifest.json"), "utf8"));
const golden = JSON.parse(await readFile(join(bundle, manifest.golden.path), "utf8"));
const histories = golden.cases.map((one) => one.history.slice(-50)).filter((history) => history.length > 0);
const variants = manifest.variants.filter(({ runtime }) => runtime === "onnx").map(({ name }) => name);
const common = { histories, calls: Number(calls) };

console.log("| client | variant | load ms | first call ms | p50 ms | p99 ms | JavaScript's share, p50 ms | bundle bytes read |");
console.log("|---|---|---|---|---|---|---|---|");
function print(client, variant, row) {
  const times = [row.loadMs, row.firstMs, row.p50Ms, row.p99Ms, row.shareMs].map((ms) => ms.toFixed(3));
  const bytes = row.transferred ? row.transferred.toLocaleString("en") : "–";
  console.log(`| ${client} | \`${variant}\` | ${times.join(" | ")} | ${bytes} |`);
}

await time({ ...common, calls: 1, place: bundle, variant: variants[0], engine: "onnxruntime-node" }); // warms the modules
for (const variant of variants) {
  print("Node", variant, await time({ ...common, place: bundle, variant, engine: "onnxruntime-node" }));
}
const browser = await launch();
for (const variant of variants) {
  const page = await openPage(browser, bundle);
  print("Chromium", variant, await page.evaluate(time, { ...common, place: "/bundle/", variant, engine: "onnxruntime-web/wasm" }));
}
await browser.close();

const packed = await Promise.all(
  ENGINE.map(async (file) => gzipSync(await readFile(join(ROOT, "node_modules/onnxruntime-web/dist", file))).length),
);
const own = gzipSync(await readFile(join(ROOT, "dist/browser.js"))).length;
console.log(`\nPacked by gzip: onnxruntime-web ${packed.reduce((a, b) => a + b).toLocaleString("en")} bytes, this package ${own.toLocaleString("en")}.`);
