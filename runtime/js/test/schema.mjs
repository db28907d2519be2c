// Check values against JSON Schemas as the package does: [[schema, text of the value]] on standard input, and on
// standard output for each what is wrong with it, null where nothing is.
import { build } from "esbuild";

const contents = `export { validate } from "./src/json_schema.ts"; export { parse } from "./src/json.ts";`;
const stdin = { contents, resolveDir: new URL("..", import.meta.url).pathname, loader: "ts" };
const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false, logLevel: "error" });
const { parse, validate } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

function problem(schema, text) {
  try {
    validate(parse(new TextEncoder().encode(text)), schema);
    return null;
  } catch (error) {
    return error.message;
  }
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const pairs = JSON.parse(Buffer.concat(chunks).toString());
console.log(JSON.stringify(pairs.map(([schema, text]) => problem(schema, text))));
