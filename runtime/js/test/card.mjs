// Run a script of a bundle in Chromium and print the one line it logs: node card.mjs BUNDLE SCRIPT.
import { launch, openPage } from "../tools/chromium.mjs";

const [bundle, script] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await openPage(browser, bundle);
  const lines = [];
  page.on("console", (message) => message.type() === "log" && lines.push(message.text()));
  await page.evaluate((path) => import(path), `/bundle/${script}`);
  console.log(lines.join("\n"));
} finally {
  await browser.close();
}
