// A headless Chromium whose requests are answered from folders of this disk: no server, no port.
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const ORIGIN = "http://localhost:9"; // "localhost" makes it a secure context, which WebCrypto asks for
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

const IMPORTS = {
  "sasrec-edge": "/package/dist/browser.js",
  "onnxruntime-web/wasm": "/modules/onnxruntime-web/dist/ort.wasm.min.mjs",
  "@litertjs/core": "/modules/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/modules/@litertjs/wasm-utils/dist/bundle.js",
};

/** Return a browser; `SASREC_CHROMIUM` names another one than Debian's. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.SASREC_CHROMIUM || "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
}

/** Return a page with the package and its engines in reach of `import`, and the bundle under /bundle/. */
export async function openPage(browser, bundle) {
  const page = await (await browser.newContext()).newPage();
  const folders = { "/bundle/": bundle, "/package/": ROOT, "/modules/": join(ROOT, "node_modules") };
  await page.route(`${ORIGIN}/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/") {
      const map = JSON.stringify({ imports: IMPORTS });
      return route.fulfill({ contentType: "text/html", body: `<!doctype html><script type="importmap">${map}</script>` });
    }
    const [prefix, folder] = Object.entries(folders).find(([start]) => pathname.startsWith(start)) ?? [];
    const file = prefix && normalize(join(folder, decodeURIComponent(pathname.slice(prefix.length))));
    const inside = file?.startsWith(normalize(folder + sep)) && (await stat(file).catch(() => null))?.isFile();
    if (!inside) return route.fulfill({ status: 404, body: "" });
    const contentType = TYPES[extname(file)] ?? "application/octet-stream";
    return route.fulfill({ contentType, body: await readFile(file) });
  });
  await page.goto(`${ORIGIN}/`);
  return page;
}
