// Runs requests on the JavaScript client. Standard input: {load: [place, options], plant, calls: [[method, ...args]]}.
// Standard output: one {value} or {error: {name, message}} for the load and for each call.
import ort from "onnxruntime-node";
import { Recommender } from "../dist/node.js";

/** Give the outputs of `recommend` another content: `change(items, scores)` edits both, or returns others. */
const answering = (change) => (session) => ({
  run: async (feeds) => {
    const outputs = await session.run(feeds);
    if (!outputs.items) return outputs;
    const [items, scores] = [outputs.items.data, outputs.scores.data];
    const [otherItems, otherScores] = change(items, scores, feeds) ?? [items, scores];
    return { items: { data: otherItems }, scores: { data: otherScores } };
  },
});

/** Mistakes that can lie between the bundle and its answers. */
const MISTAKES = {
  "an id of 0": answering((items) => void (items[0] = 0)),
  "an id below 0": answering((items) => void (items[0] = -1)),
  "an id beyond the catalogue": answering((items) => void (items[1] = 5000)),
  "an item twice": answering((items) => void (items[1] = items[0])),
  "an excluded item": answering((items, _, { exclude }) => void (items[0] = exclude.data[0])),
  "a score that is NaN": answering((_, scores) => void (scores[0] = Number.NaN)),
  "an infinite score": answering((_, scores) => void (scores[0] = Number.POSITIVE_INFINITY)),
  "the worst first": answering((items, scores) => [items.reverse(), scores.reverse()]),
  "one column less": answering((items, scores) => [items.slice(1), scores]),
  "no rows": answering(() => [new Int32Array(), new Float32Array()]),
  "doubles": answering((items, scores) => [items, Float64Array.from(scores)]),
  "no scores": answering((items) => [items, undefined]),
  "padding with a score": answering((items, scores) => void ((items[3] = 0), (scores[3] = -1))),
  "NaN for a candidate": (session) => ({
    run: async (feeds) => {
      const outputs = await session.run(feeds);
      if (!outputs.items) outputs.scores.data[0] = Number.NaN;
      return outputs;
    },
  }),
  /** The engine fails while it runs; not every engine throws an Error. */
  fails: () => ({ run: () => Promise.reject(8388608) }),
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
