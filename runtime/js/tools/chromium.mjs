// A headless Chromium with the package, its engines and a bundle in reach of `import` and `fetch`.
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
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
  const folders = { "/bundle/": bundle, "/package/": ROOT, "/modules/": join(ROOT, "node_modules") };
  const server = createServer(async (request, response) => {
    const answer = await answerTo(new URL(request.url, "http://localhost").pathname, folders);
    // An isolated page has a clock of 5 µs; others get one of 100 µs.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", answer?.type ?? "text/plain");
    response.writeHead(answer ? 200 : 404).end(answer?.body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  server.unref();
  const page = await (await browser.newContext()).newPage();
  await page.goto(`http://localhost:${server.address().port}/`); // "localhost" is a secure context: WebCrypto asks for one
  return page;
}

async function answerTo(pathname, folders) {
  if (pathname === "/") {
    const map = JSON.stringify({ imports: IMPORTS });
    return { type: "text/html", body: `<!doctype html><script type="importmap">${map}</script>` };
  }
  const [prefix, folder] = Object.entries(folders).find(([start]) => pathname.startsWith(start)) ?? [];
  const file = prefix && normalize(join(folder, decodeURIComponent(pathname.slice(prefix.length))));
  const inside = file?.startsWith(normalize(folder + sep)) && (await stat(file).catch(() => null))?.isFile();
  return inside ? { type: TYPES[extname(file)] ?? "application/octet-stream", body: await readFile(file) } : null;
}
