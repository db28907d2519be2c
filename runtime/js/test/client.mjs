// Runs requests on the JavaScript client. Standard input: {load: [place, options], plant, calls: [[method, ...args]]}.
// Standard output: one {value} or {error: {name, message}} for the load and for each call.
import ort from "onnxruntime-node";
import { Recommender } from "../dist/node.js";

/** Mistakes an app can make between the bundle and the engine. */
const MISTAKES = {
  /** History padded on the right. */
  padding: (session) => ({
    run: (feeds) => {
      const { data, dims } = feeds.history;
      const longer = new Int32Array(data.length + 3);
      longer.set(data);
      return session.run({ ...feeds, history: new ort.Tensor("int32", longer, [dims[0], longer.length]) });
    },
  }),
  /** The two outputs taken for one another. */
  swapped: (session) => ({
    run: async (feeds) => {
      const outputs = await session.run(feeds);
      return outputs.items ? { items: outputs.scores, scores: outputs.items } : outputs;
    },
  }),
  /** Ids counted from 0. */
  shifted: (session) => ({
    run: async (feeds) => {
      const outputs = await session.run(feeds);
      if (outputs.items) outputs.items.data.forEach((id, i, ids) => (ids[i] = Math.max(1, id - 1)));
      return outputs;
    },
  }),
};

function mistaken(name) {
  const create = async (...args) => {
    const session = await ort.InferenceSession.create(...args);
    const { inputNames, outputNames, inputMetadata, outputMetadata } = session;
    return { inputNames, outputNames, inputMetadata, outputMetadata, ...MISTAKES[name](session) };
  };
  return { env: ort.env, Tensor: ort.Tensor, InferenceSession: { create } };
}

async function attempt(action) {
  try {
    return { value: await action() };
  } catch (error) {
    return { error: { name: error.name, message: error.message } };
  }
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { load, plant, calls } = JSON.parse(Buffer.concat(chunks).toString());
const [place, options = {}] = load;
const results = [];
let recommender;
results.push(
  await attempt(async () => {
    recommender = await Recommender.load(place, plant ? { ...options, runtimes: { onnx: mistaken(plant) } } : options);
    return recommender.variant.name;
  }),
);
for (const [method, ...args] of recommender ? calls : []) {
  const value = await attempt(() => recommender[method](...args));
  results.push(value.value instanceof Float32Array ? { value: [...value.value] } : value);
}
console.log(JSON.stringify(results));
