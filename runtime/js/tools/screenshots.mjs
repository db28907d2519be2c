// Look at the page as people see it: node screenshots.mjs URL FOLDER. Desktop, phone, dark.
import { join } from "node:path";
import { launch } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const SIZES = {
  desktop: { viewport: { width: 1100, height: 860 }, colorScheme: "light" },
  dark: { viewport: { width: 1100, height: 860 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

const browser = await launch();
for (const [name, options] of Object.entries(SIZES)) {
  const page = await (await browser.newContext(options)).newPage();
  page.on("console", (message) => console.log(name, message.text()));
  await page.goto(url);
  await page.waitForSelector("body[data-ready]");
  await page.click("#example");
  await page.waitForSelector("#history button");
  await page.waitForTimeout(300);
  for (let i = 0; i < 40 && (i < 4 || !(await page.$(".only"))); i++) {
    await page.click(`.items li:nth-child(${1 + (i % 3)}) button`); // until something differs
    await page.click("#history button"); // the oldest goes
    await page.waitForTimeout(100);
  }
  await page.click("#verify");
  await page.waitForSelector("#proof li:nth-child(2)");
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
await browser.close();
