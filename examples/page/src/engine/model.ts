// A visitor's network: what its file says, what is planned of it, and how long its layers take.
import type { LayerRow, Profile } from "lanewise";
import { describeOnnx, loadOnnx, type OnnxModel } from "lanewise/onnx";
import { runtimeOf, whenRestarted } from "./runtime.js";

/** Most bytes that a network may plan for: a page's tab is not a server. */
const MAX_BYTES = 1 << 30;
/** Of inputs, where no one says: of a batch, of a picture's sides, of anything else. */
const OPEN = { batch: 1, side: 224, other: 16 };

let open: { readonly model: OnnxModel; readonly bytes: Uint8Array<ArrayBuffer> } | undefined;
whenRestarted(() => {
  open = undefined;
});

export function openBytes(): Uint8Array<ArrayBuffer> {
  if (open === undefined) throw new Error(`"model" expected a file that was opened, got none`);
  return open.bytes;
}

export interface Layer extends Pick<LayerRow, "layer" | "op" | "algorithm" | "outputShape" | "macs" | "parameters"> {
  readonly inJavaScript: boolean;
  readonly microseconds?: number;
}

const layersOf = (rows: readonly (LayerRow & { readonly microseconds?: number })[]) =>
  rows.map(({ layer, op, algorithm, outputShape, macs, parameters, reason, microseconds }): Layer => {
    const inJavaScript = reason === "JavaScript";
    return {
      layer,
      op,
      algorithm,
      outputShape,
      macs,
      parameters,
      inJavaScript,
      ...(microseconds !== undefined && { microseconds }),
    };
  });

/** An input as it is planned: sizes that the file leaves open are guessed, and may be given. */
export interface Input {
  readonly name: string;
  readonly shape: readonly number[];
  readonly isOpen: boolean;
}

function inputsOf(
  declared: readonly { readonly name: string; readonly shape: readonly (number | string | null)[] | null }[],
): Input[] {
  return declared.map(({ name, shape }) => {
    const sizes = shape ?? [];
    const sized = sizes.map((size, axis) => {
      if (typeof size === "number") return size;
      if (axis === 0) return OPEN.batch;
      return sizes.length === 4 && axis > 1 ? OPEN.side : OPEN.other;
    });
    return { name, shape: sized, isOpen: sizes.some((size) => typeof size !== "number") };
  });
}

/** Plans a file; `shapes`: sizes of inputs that it leaves open. A refusal says which operators are missing. */
export async function openModel({
  file,
  shapes,
}: {
  readonly file: ArrayBuffer;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}) {
  open?.model.dispose();
  open = undefined;
  const rt = await runtimeOf();
  const bytes = new Uint8Array(file);
  const description = await describeOnnx(bytes);
  const inputs = inputsOf(description.inputs).map((input) => ({ ...input, shape: shapes[input.name] ?? input.shape }));
  const missing = description.operators.filter(({ supported }) => !supported);
  const said = {
    producer: `${description.producer} ${description.producerVersion}`.trim(),
    opset: description.opsets["ai.onnx"],
    nodes: description.nodes,
    elements: description.elements,
    missing: missing.map(({ name, count, nodes }) => ({ name, count, nodes: nodes.slice(0, 3) })),
  };
  const none = { ...said, inputs, layers: [] as Layer[], arena: [], totals: undefined, refusal: "" };
  const given = Object.fromEntries(inputs.filter(({ isOpen }) => isOpen).map(({ name, shape }) => [name, shape]));
  try {
    const start = performance.now();
    const model = await loadOnnx(rt, bytes, { maxBytes: Math.min(MAX_BYTES, rt.report().maxBytes), shapes: given });
    const loadMs = performance.now() - start;
    open = { model, bytes };
    const { rows, totals, arena } = model.summary();
    return { ...none, layers: layersOf(rows), arena, totals, loadMs };
  } catch (error) {
    const { name, message } = error as Error;
    return { ...none, refusal: `${name}: ${message}` };
  }
}

/** Numbers between 0 and 1, of any input. */
function ramp({ shape }: Input) {
  const count = shape.reduce((a, b) => a * b, 1);
  return { data: Array.from({ length: count }, (_, i) => (i % 97) / 97), shape };
}

/** The layers with their times, of `runs` runs. */
export async function profileModel({ inputs, runs }: { readonly inputs: readonly Input[]; readonly runs: number }) {
  if (open === undefined) throw new Error(`"model" expected a file that was opened, got none`);
  const { model } = open;
  const feeds = inputs.map((input) => {
    const { dtype } = model.inputs.find(({ name }) => name === input.name) ?? {};
    const { data, shape } = ramp(input);
    return [
      input.name,
      { data: /float/.test(dtype ?? "") ? Float32Array.from(data) : data.map(() => 0), shape },
    ] as const;
  });
  const profile: Profile = model.profile(Object.fromEntries(feeds), { runs });
  return { layers: layersOf(profile.rows), microseconds: profile.totals.microseconds, gflops: profile.totals.gflops };
}
