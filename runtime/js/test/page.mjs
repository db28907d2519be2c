// A visit to the page: node page.mjs URL. Loads it, prints "loaded", waits for a line on standard input (the server
// may be gone then), goes on by keyboard, and prints what it saw as one JSON object.
import { once } from "node:events";
import { launch } from "../tools/chromium.mjs";

const [url] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await (await browser.newContext()).newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  await page.waitForSelector("body[data-ready], #alert:not([hidden])");
  const alert = await page.$eval("#alert", (p) => (p.hidden ? null : p.textContent));
  if (alert !== null) {
    console.log(JSON.stringify({ alert }));
  } else {
    await page.waitForFunction(() => document.querySelector("#offline").textContent !== "");
    console.log("loaded");
    await once(process.stdin, "data");
    console.log(JSON.stringify({ ...(await visit(page)), errors }));
  }
} finally {
  await browser.close();
  process.stdin.destroy();
}

async function settled(page, action) {
  const before = await page.evaluate(() => document.body.dataset.ready);
  await action();
  await page.waitForFunction((seen) => document.body.dataset.ready !== seen, before);
}

async function lists(page) {
  return page.$$eval(".column", (columns) =>
    columns.map((column) => ({
      variant: column.querySelector("select").value,
      facts: column.querySelector(".facts").textContent,
      titles: [...column.querySelectorAll(".title")].map((title) => title.textContent),
    })),
  );
}

async function visit(page) {
  const popular = await lists(page);
  await page.keyboard.press("/");
  await page.keyboard.type(popular[0].titles[2]);
  const options = await page.$$eval("#found li", (all) => all.map((option) => option.textContent));
  await settled(page, () => page.keyboard.press("Enter"));
  const searched = await lists(page);
  await page.focus(".items button");
  await settled(page, () => page.keyboard.press("Enter"));
  const clicked = await lists(page);
  const history = await page.$$eval("#history button", (all) => all.map((button) => button.textContent));
  await page.click("#verify");
  await page.waitForFunction(() => document.querySelectorAll("#proof li").length === 2);
  const proof = await page.$$eval("#proof li", (all) => all.map((line) => line.textContent));
  const agreement = await page.textContent("#agreement");
  const marked = await page.$$eval(".mark", (all) => all.length);
  await page.setViewportSize({ width: 360, height: 700 });
  await page.waitForFunction(() => window.innerWidth === 360);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  const reloaded = await lists(page);
  const alert = await page.$eval("#alert", (p) => (p.hidden ? null : p.textContent));
  return { alert, popular, options, searched, clicked, history, proof, agreement, marked, reloaded, overflow };
}
