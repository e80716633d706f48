// Attention, taken apart: softmax(scale Q K^T + mask) V over [batch, heads, length, size of a head], and rotary embedding.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import type { ElementType } from "../file/element-type.js";
import type { Part, Parts } from "../operators.js";
import { type Assembly, attributesOf, type Description, described, needed } from "./assembly.js";

/** Refuses inputs that nothing here does, by name. */
function refuse(inputs: readonly (Part | undefined)[], names: Readonly<Record<string, number>>): void {
  for (const [name, i] of Object.entries(names))
    if (inputs[i]) throw new UnsupportedError(`"${name}" expected no input, got one`);
}

/** Refuses attributes with another value than this. */
function only({ c }: Assembly, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    const given = c.int(name, value);
    if (given !== value) throw new UnsupportedError(`"${name}" expected ${value}, got ${given}`);
  }
}

function headsOf(a: Assembly, name: string, hidden: number): number {
  const heads = a.c.int(name, 0);
  if (!(heads >= 1 && hidden % heads === 0))
    throw new ModelError(`"${name}" expected a divisor of ${hidden}, got ${heads}`);
  return heads;
}

/** [batch, length, heads * size] as [batch, heads, length, size]. */
function toHeads(a: Assembly, x: string, heads: number): string {
  return a.add("Transpose", [a.add("Reshape", [x, a.integers(0, 0, heads, -1)])], { perm: [0, 2, 1, 3] });
}

function fromHeads(a: Assembly, x: string): string {
  return a.add("Reshape", [a.add("Transpose", [x], { perm: [0, 2, 1, 3] }), a.integers(0, 0, -1)]);
}

interface Scores {
  readonly type: ElementType;
  readonly scale: number;
  /** Added to the scores. */
  readonly biases: readonly string[];
  readonly softcap?: number;
}

/** softmax(scale Q K^T + biases) V, with the scores before and after as the fourth output of the standard's has them. */
function attend(
  a: Assembly,
  [q, k, v]: readonly [string, string, string],
  { type, scale, biases, softcap = 0 }: Scores,
) {
  const product = a.add("MatMul", [
    a.add("Mul", [q, a.number(scale, type)]),
    a.add("Transpose", [k], { perm: [0, 1, 3, 2] }),
  ]);
  let scores = product;
  const masked = () => {
    for (const bias of biases) scores = a.add("Add", [scores, bias]);
    return scores;
  };
  const cap = () => {
    if (softcap === 0) return scores;
    const tanh = a.add("Tanh", [a.add("Mul", [scores, a.number(1 / softcap, type)])]);
    scores = a.add("Mul", [tanh, a.number(softcap, type)]);
    return scores;
  };
  const capped = cap();
  const added = masked();
  const weights = a.add("Softmax", [scores], { axis: -1 });
  return { y: a.add("MatMul", [weights, v]), modes: [product, added, capped, weights] };
}

/** What a query may not look at: keys after it. */
function causal(a: Assembly, type: ElementType, queries: number, keys: number, value = -Infinity): string {
  a.c.budget.take("float32", [queries, keys]);
  const data = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) data.fill(value, Math.min(i + 1, keys) + i * keys, (i + 1) * keys);
  return a.add("CastLike", [a.constant({ type: "float32", shape: [queries, keys], data }), a.number(0, type)]);
}

/** The standard's, of operator sets 23 and 24, without what came before. */
const attention: Description = (a, inputs) => {
  const [q, k, v] = [needed(inputs, 0, "Q"), needed(inputs, 1, "K"), needed(inputs, 2, "V")];
  refuse(inputs, { past_key: 4, past_value: 5, nonpad_kv_seqlen: 6 });
  const { c } = a;
  const { type } = q;
  const rank = q.shape.length;
  if (![3, 4].includes(rank) || k.shape.length !== rank || v.shape.length !== rank)
    throw new ModelError(
      `"Q", "K", "V" expected 3 or 4 axes alike, got ${[q, k, v].map((t) => show([...t.shape])).join(", ")}`,
    );
  const hidden = (t: Part) => t.shape.at(-1) as number;
  const heads = rank === 4 ? (q.shape[1] as number) : headsOf(a, "q_num_heads", hidden(q));
  const own = rank === 4 ? (k.shape[1] as number) : headsOf(a, "kv_num_heads", hidden(k));
  if (heads % own !== 0) throw new ModelError(`"kv_num_heads" expected a divisor of ${heads}, got ${own}`);
  const [keys, values] = ["1", "2"].map((x) => (rank === 4 ? x : toHeads(a, x, own))) as [string, string];
  /** A head of keys for several of queries, one after the other. */
  const shared = (x: string): string => {
    if (heads === own) return x;
    a.c.budget.bytesOf("int64", [8 * heads]);
    const repeated = a.add("Concat", new Array(heads / own).fill(a.add("Unsqueeze", [x, a.integers(2)])), { axis: 2 });
    const [batch, length, size] = x === values ? dims(v) : dims(k);
    return a.add("Reshape", [repeated, a.integers(batch, heads, length, size)]);
  };
  const dims = ({ shape }: Part) =>
    [shape[0], shape.at(-2), rank === 4 ? shape[3] : (shape[2] as number) / own] as [number, number, number];
  const [queries, length] = [q.shape.at(-2) as number, k.shape.at(-2) as number];
  const biases: string[] = [];
  const mask = inputs[3];
  if (mask?.type === "bool") biases.push(a.add("Where", ["3", a.number(0, type), a.number(-Infinity, type)]));
  else if (mask) biases.push("3");
  if (c.int("is_causal", 0) === 1) biases.push(causal(a, type, queries, length));
  const size = hidden(q) / (rank === 4 ? 1 : heads);
  const { y, modes } = attend(a, [rank === 4 ? "0" : toHeads(a, "0", heads), shared(keys), shared(values)], {
    type,
    scale: c.float("scale", 1 / Math.sqrt(size)),
    biases,
    softcap: c.float("softcap", 0),
  });
  const mode = c.int("qk_matmul_output_mode", 0);
  const outputs = [rank === 4 ? y : fromHeads(a, y), keys, values, modes[mode] ?? ""];
  if (c.node.outputs[3] && !modes[mode]) throw new ModelError(`"qk_matmul_output_mode" expected 0 to 3, got ${mode}`);
  return outputs.slice(0, c.node.outputs.length);
};

/** Keys that count, [batch, keys], as what is added to scores; another form is refused. */
function paddingBias(a: Assembly, i: number, name: string, mask: Part, type: ElementType): string {
  if (mask.shape.length !== 2)
    throw new UnsupportedError(`"${name}" expected [batch, keys], got ${show([...mask.shape])}`);
  const kept = a.add("CastLike", [a.add("Unsqueeze", [String(i), a.integers(1, 2)]), a.number(0, type)]);
  const filter = a.c.float("mask_filter_value", -10000);
  return a.add("Mul", [a.add("Sub", [a.number(1, type), kept]), a.number(filter, type)]);
}

/** com.microsoft: queries, keys and values from one product with one weight. */
const packedAttention: Description = (a, inputs) => {
  const [x, w] = [needed(inputs, 0, "input"), needed(inputs, 1, "weights")];
  refuse(inputs, { past: 4, past_sequence_length: 6 });
  only(a, { do_rotary: 0, past_present_share_buffer: 0 });
  if (a.c.node.outputs[1]) throw new UnsupportedError(`"present" expected no output, got one`);
  const { type } = x;
  const all = w.shape[1] ?? 0;
  const sizes = a.c.ints("qkv_hidden_sizes") ?? [all / 3, all / 3, all / 3];
  const heads = headsOf(a, "num_heads", sizes[0] ?? 0);
  let product = a.add("MatMul", ["0", "1"]);
  if (inputs[2]) product = a.add("Add", [product, "2"]);
  const parts = a.node("Split", [product, a.integers(...sizes)], attributesOf({ axis: -1 }), 3);
  const length = x.shape[1] as number;
  const biases: string[] = [];
  if (inputs[3]) biases.push(paddingBias(a, 3, "mask_index", inputs[3], type));
  if (inputs[5]) biases.push("5");
  if (a.c.int("unidirectional", 0) === 1) biases.push(causal(a, type, length, length));
  const scale = a.c.float("scale", 0) || 1 / Math.sqrt((sizes[0] as number) / heads);
  const given = parts.map((part) => toHeads(a, part, heads)) as unknown as [string, string, string];
  return [fromHeads(a, attend(a, given, { type, scale, biases }).y)];
};

/** com.microsoft: queries, keys and values [batch, length, heads * size]. */
const multiHead: Description = (a, inputs) => {
  const query = needed(inputs, 0, "query");
  const [key, value] = [inputs[1], inputs[2]];
  if (query.shape.length !== 3 || key?.shape.length !== 3 || value?.shape.length !== 3)
    throw new UnsupportedError(`"query", "key", "value" expected three axes each, got other forms`);
  refuse(inputs, { past_key: 6, past_value: 7, past_sequence_length: 8, cache_indirection: 9 });
  if (a.c.node.outputs.slice(1).some(Boolean))
    throw new UnsupportedError(`"outputs" expected one, got ${a.c.node.outputs.length}`);
  const { type } = query;
  const [hidden, ofValues] = [query.shape[2] as number, value.shape[2] as number];
  const heads = headsOf(a, "num_heads", hidden);
  let given: readonly string[] = ["0", "1", "2"];
  if (inputs[3]) {
    const parts = a.node("Split", ["3", a.integers(hidden, hidden, ofValues)], attributesOf({ axis: 0 }), 3);
    given = given.map((x, i) => a.add("Add", [x, parts[i] as string]));
  }
  const biases: string[] = [];
  if (inputs[4]) biases.push(paddingBias(a, 4, "key_padding_mask", inputs[4], type));
  if (inputs[5]) biases.push("5");
  const [queries, keys] = [query.shape[1] as number, key.shape[1] as number];
  if (a.c.int("unidirectional", 0) === 1) biases.push(causal(a, type, queries, keys));
  const scale = a.c.float("scale", 0) || 1 / Math.sqrt(hidden / heads);
  const split = given.map((x) => toHeads(a, x, heads)) as unknown as [string, string, string];
  return [fromHeads(a, attend(a, split, { type, scale, biases }).y)];
};

/** Pairs of a head's elements turned by an angle that goes with their position. cos, sin: [batch or 1, length, pairs]. */
function rotated(a: Assembly, x: Part, cos: string, sin: string, pairs: number): string {
  const rank = x.shape.length;
  const heads = rank === 4 ? (x.shape[1] as number) : headsOf(a, "num_heads", x.shape[2] as number);
  const size = rank === 4 ? (x.shape[3] as number) : (x.shape[2] as number) / heads;
  if (rank !== 3 && rank !== 4) throw new ModelError(`"X" expected 3 or 4 axes, got ${rank}`);
  const wanted = a.c.int("rotary_embedding_dim", 0) || size;
  if (2 * pairs !== wanted)
    throw new ModelError(`"cos_cache" expected ${wanted / 2} elements a position, got ${pairs}`);
  if (2 * pairs > size) throw new ModelError(`"rotary_embedding_dim" expected at most ${size}, got ${2 * pairs}`);
  const image = rank === 4 ? "0" : toHeads(a, "0", heads);
  const [c, s] = [cos, sin].map((t) => a.add("Unsqueeze", [t, a.integers(1)])) as [string, string];
  const isInterleaved = a.c.int("interleaved", 0) === 1;
  const slice = (from: number, to: number, step = 1) =>
    a.add("Slice", [image, a.integers(from), a.integers(to), a.integers(3), a.integers(step)]);
  const [x1, x2] = isInterleaved
    ? [slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)]
    : [slice(0, pairs), slice(pairs, 2 * pairs)];
  const mul = (left: string, right: string) => a.add("Mul", [left, right]);
  const real = a.add("Sub", [mul(x1, c), mul(x2, s)]);
  const imaginary = a.add("Add", [mul(x1, s), mul(x2, c)]);
  let y: string;
  if (isInterleaved) {
    const both = [real, imaginary].map((t) => a.add("Unsqueeze", [t, a.integers(4)]));
    y = a.add("Reshape", [a.add("Concat", both, { axis: 4 }), a.integers(0, 0, 0, 2 * pairs)]);
  } else y = a.add("Concat", [real, imaginary], { axis: 3 });
  if (2 * pairs < size) y = a.add("Concat", [y, slice(2 * pairs, size)], { axis: 3 });
  return rank === 4 ? y : fromHeads(a, y);
}

const rotary: Description = (a, inputs) => {
  const [x, cos] = [needed(inputs, 0, "X"), needed(inputs, 1, "cos_cache")];
  needed(inputs, 2, "sin_cache");
  const at = (table: string) => (inputs[3] ? a.add("Gather", [table, "3"], { axis: 0 }) : table);
  return [rotated(a, x, at("1"), at("2"), cos.shape.at(-1) as number)];
};

/** com.microsoft: a position of each element, or where the first one is. */
const rotaryFrom: Description = (a, inputs) => {
  const [x, ids, cos] = [needed(inputs, 0, "input"), needed(inputs, 1, "position_ids"), needed(inputs, 2, "cos_cache")];
  needed(inputs, 3, "sin_cache");
  only(a, { is_packed_batching: 0 });
  if (a.c.float("scale", 1) !== 1) throw new UnsupportedError(`"scale" expected 1, got ${a.c.float("scale", 1)}`);
  const length = x.shape.at(-2) as number;
  a.c.budget.bytesOf("int64", [8 * length]); // of an input without elements it may be anything
  const steps = Array.from({ length }, (_, i) => i);
  const at =
    ids.shape.length === 1 ? a.add("Unsqueeze", [a.add("Add", ["1", a.integers(...steps)]), a.integers(0)]) : "1";
  const of = (table: string) => a.add("Gather", [table, at], { axis: 0 });
  return [rotated(a, x, of("2"), of("3"), cos.shape.at(-1) as number)];
};

export const ATTENTION: Readonly<Record<string, Parts>> = described({
  Attention: attention,
  RotaryEmbedding: rotary,
  "com.microsoft.Attention": packedAttention,
  "com.microsoft.MultiHeadAttention": multiHead,
  "com.microsoft.RotaryEmbedding": rotaryFrom,
});
