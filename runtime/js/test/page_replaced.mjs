// Visits to a page whose bundle changes: node page_replaced.mjs URL. Each line on standard input is a step; when it is
// done, one JSON line says what the page shows and what is kept: "visit" (again), "verify", "forget" (drop the stores of
// bundles, as a browser short of room does).
import { createInterface } from "node:readline";
import { launch } from "../tools/chromium.mjs";

const [url] = process.argv.slice(2);

/** Store → path → SHA-256 of what is kept there; runs in the page. */
async function kept() {
  const stores = {};
  for (const name of await caches.keys()) {
    const store = await caches.open(name);
    stores[name] = {};
    for (const { url } of await store.keys()) {
      const digest = await crypto.subtle.digest("SHA-256", await (await store.match(url)).arrayBuffer());
      const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      stores[name][url.slice(location.href.length)] = hex;
    }
  }
  return stores;
}

const STEPS = {
  async visit(page) {
    await page.goto(url);
    await page.waitForFunction(
      () => !document.querySelector("#alert").hidden || document.querySelector("#offline").textContent !== "",
    );
  },
  async verify(page) {
    await page.click("#verify");
    await page.waitForFunction(
      () => !document.querySelector("#alert").hidden || document.querySelectorAll("#proof li").length === 2,
    );
  },
  async forget(page) {
    await page.evaluate(async () => {
      for (const name of await caches.keys()) if (name.startsWith("bundle-")) await caches.delete(name);
    });
  },
};

const browser = await launch();
try {
  const page = await (await browser.newContext()).newPage();
  for await (const step of createInterface({ input: process.stdin })) {
    await STEPS[step](page);
    const alert = await page.$eval("#alert", (p) => (p.hidden ? null : p.textContent));
    const titles = await page.$$eval(".column", (all) => [...all[0]?.querySelectorAll(".title") ?? []].map((t) => t.textContent));
    console.log(JSON.stringify({ alert, titles, kept: await page.evaluate(kept) }));
  }
} finally {
  await browser.close();
}
