// Bundle the package for browsers and for Node, and the page of `make web`, into dist/.
import { cp, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", legalComments: "none", minify: true };
const external = ["onnxruntime-web", "onnxruntime-node", "@litertjs/core", "node:*"];
const ENGINE = "node_modules/onnxruntime-web/dist";

await build({ ...common, entryPoints: ["src/browser.ts", "src/node.ts"], platform: "neutral", sourcemap: "linked", external, outdir: "dist" });
await build({ ...common, entryPoints: ["web/app.ts", "web/sw.ts"], platform: "browser", external, outdir: "dist/web" });
await mkdir("dist/web/ort", { recursive: true });
for (const file of ["index.html", "style.css", "icon.svg"]) await cp(`web/${file}`, `dist/web/${file}`);
for (const file of ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]) {
  await cp(`${ENGINE}/${file}`, `dist/web/ort/${file}`);
}
