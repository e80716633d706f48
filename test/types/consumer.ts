// What a user's program sees of the package, without a lib beyond the language: test/types/run.mjs compiles it, and runs nothing.
import {
  createModel,
  createRuntime,
  type DType,
  lenet5,
  type Operations,
  type Plan,
  readSafetensors,
  type Tensor,
} from "lanewise";
import { readIdx } from "lanewise/datasets";
import { loadOnnx, type OnnxModel } from "lanewise/onnx";
import { createPreprocessor, preprocess, presets, type View } from "lanewise/vision";
import numeric from "lanewise/wasm/numeric-simd.wasm";
import simd from "lanewise/wasm/simd.wasm";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Holds a type to another, exactly. */
const is = <A, B>(_: Same<A, B>): void => {};

const rt = await createRuntime({ wasm: simd, packs: { numeric }, maxBytes: 2 ** 24 });

// A tensor is float32 unless it is made of something else.
const x: Tensor = rt.tensor([1, 2, 3, 4], [1, 1, 2, 2], { memoryFormat: "channelsLast" });
is<typeof x.data, Float32Array>(true);
const halves = x.toArray().map((value) => value / 2);
x.data.set(halves);
is<typeof x.dtype, "float32">(true);
const bytes = rt.tensor(new Uint8Array(4), [4]);
is<typeof bytes, Tensor<"uint8">>(true);
is<ReturnType<typeof bytes.toArray>, Uint8Array>(true);
const clamped = rt.tensor(new Uint8ClampedArray(4), [4]);
is<typeof clamped, Tensor<"uint8">>(true);
const ids = rt.tensor([1, 2], [2], { dtype: "int64" });
is<typeof ids, Tensor<"int64">>(true);
is<typeof ids.data, BigInt64Array>(true);
const doubles = rt.tensor(new Float64Array(4), [4], { dtype: "float32" });
is<typeof doubles, Tensor>(true);
const zeros = rt.zeros([2], { dtype: "bool" });
is<typeof zeros.data, Uint8Array>(true);
const anything: Tensor<DType> = bytes;
anything.dispose();
// @ts-expect-error: what computes takes float32
rt.relu(bytes);
// @ts-expect-error: a tensor of bytes is none of floats
const wrong: Tensor = bytes;
wrong.dispose();

// What only moves elements keeps their type.
is<ReturnType<typeof rt.clone<"int64">>, Tensor<"int64">>(true);
const turned = rt.transpose(bytes);
is<typeof turned, Tensor<"uint8">>(true);
const joined = rt.concat([ids, ids], { axis: 0 });
is<typeof joined, Tensor<"int64">>(true);
const y: Tensor = rt.conv2d(x, x, null, { padding: "same", activation: "relu" });
// @ts-expect-error: a misspelt option
rt.conv2d(x, x, null, { strides: 2 });

// A function of one's own.
const sorted = rt.custom([x], {
  outputs: [{ shape: [4] }],
  compute: ([from], [to]) => to?.set(from?.slice().sort() ?? []),
});
is<typeof sorted, Tensor>(true);
const counts: Tensor<"int32"> = rt.custom([bytes], {
  outputs: [{ shape: [4], dtype: "int32" }],
  compute: ([from], [to]) => {
    is<typeof from, Uint8Array | (undefined extends typeof from ? undefined : never)>(true);
    from?.forEach((value, i) => {
      if (to) to[i] = value;
    });
  },
});
counts.dispose();

// Plans.
const plan: Plan = rt.plan.conv2d({ input: [1, 1, 2, 2], weight: x, bias: null, stride: 1 });
const macs: number = plan.describe().macs;
const output: Tensor | undefined = plan.outputs[0] && rt.empty(plan.outputs[0]);
if (output) is<ReturnType<typeof plan.run>, typeof output>(true);
is<ReturnType<typeof rt.plan.slice<"int64">>, Plan<"int64">>(true);

// Models: float32 unless another dtype is named.
const model = createModel(rt, lenet5({ batch: 1 }), readSafetensors(new Uint8Array()));
export const logits: Float32Array | undefined = model.run({ image: y })["logits"]?.toArray();
const pixels = model.input("image");
is<typeof pixels, Float32Array>(true);
pixels.set([1, 2, 3]);
is<ReturnType<typeof model.output<"int64">>, BigInt64Array>(true);
export const network: OnnxModel = await loadOnnx(rt, new Uint8Array(), { shapes: { batch: 1 } });
const classes = network.run<"int64">({ ids, image: { data: [1], shape: [1] } })["classes"];
export const first: bigint | undefined = classes?.toArray()[0];
const answers = await network.runAsync({});
is<(typeof answers)[string], Tensor>(true);
network.input<"int64">("ids")[0] = 1n;

// Photos.
const image = { data: new Uint8Array(4), width: 1, height: 1 };
export const view: View = createPreprocessor(rt, { model: network, scale: 1 }).run(image);
createPreprocessor(rt, { model, scale: 1, input: "image" });
const photo = preprocess(rt, image, { ...presets.unit, size: 8 });
is<typeof photo, Tensor>(true);
const quantised = createPreprocessor(rt, { scale: 1, size: 8, dtype: "uint8" });
is<typeof quantised.tensor, Tensor<"uint8">>(true);

/** Of a runtime or a graph. */
export function head<T>(op: Operations<T>, features: T, weight: T): T {
  return op.softmax(op.linear(op.flatten(op.globalAvgPool(features)), weight));
}
head<Tensor>(rt, x, y);

export const images = await readIdx(new Uint8Array());
for (const one of [rt, x, plan, model, network, quantised]) one[Symbol.dispose]();

export { macs };
