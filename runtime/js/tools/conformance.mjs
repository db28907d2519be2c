// Run golden.json on one JavaScript client: node conformance.mjs node|chromium BUNDLE. Prints one JSON array.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Verify each variant; runs in Node and, as text, in the page: it may use nothing from outside. */
async function verifyAll({ place, names, litertWasm }) {
  const { Recommender } = await import("sasrec-edge");
  if (litertWasm) await (await import("@litertjs/core")).loadLiteRt(litertWasm);
  const rows = [];
  for (const variant of names) {
    try {
      const recommender = await Recommender.load(place, { variant });
      const check = await recommender.verify();
      await recommender.close();
      rows.push({ ...check, failures: check.failures.slice(0, 5) });
    } catch (error) {
      const status = error.name === "MissingRuntimeError" ? "skipped" : "failed";
      rows.push({ variant, status, cases: 0, failures: [`${error.name}: ${error.message}`], largestDifference: null });
    }
  }
  return rows;
}

const [client, bundle] = process.argv.slice(2);
const manifest = JSON.parse(await readFile(join(bundle, "manifest.json"), "utf8"));
const names = manifest.variants.map((variant) => variant.name);

async function inChromium() {
  const { launch, openPage } = await import("./chromium.mjs");
  const browser = await launch();
  try {
    const page = await openPage(browser, bundle);
    return await page.evaluate(verifyAll, { place: "/bundle/", names, litertWasm: "/modules/@litertjs/core/wasm/" });
  } finally {
    await browser.close();
  }
}

const rows = client === "chromium" ? await inChromium() : await verifyAll({ place: bundle, names });
console.log(JSON.stringify(rows));
