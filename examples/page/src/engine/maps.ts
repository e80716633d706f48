// What a layer in the middle of a visitor's network sees in a picture: the file is loaded anew, with that layer's value as its output.
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, presets } from "lanewise/vision";
import { type Node, nodesOf, withOutput } from "./exposed.js";
import { type Input, openBytes } from "./model.js";
import { runtimeOf } from "./runtime.js";

/** Maps that are answered. */
const MOST_MAPS = 32;

/** Nodes that may have maps. */
export async function layersWithMaps(): Promise<Node[]> {
  return nodesOf(openBytes()).filter(({ op }) => /Conv|Relu|Clip|Pool|Add|Concat|Sigmoid|Mul|Resize/.test(op));
}

/** The maps of one node for a picture; without a node, the list of those that there are. */
export async function featureMaps({ node, input, picture }: MapsArguments) {
  const nodes = await layersWithMaps();
  const chosen = nodes.find(({ name }) => name === node) ?? nodes.find(({ op }) => op === "Conv") ?? nodes[0];
  if (chosen === undefined) throw new Error(`"model" expected layers with maps, got none`);
  const rt = await runtimeOf();
  const shapes = input.isOpen ? { [input.name]: input.shape } : {};
  const model = await loadOnnx(rt, withOutput(openBytes(), chosen.output), { shapes });
  try {
    const spec =
      input.shape[1] === 3 ? ({ ...presets.imagenet, fit: "stretch", resize: undefined } as const) : presets.unit;
    const pre = createPreprocessor(rt, { ...spec, model, input: input.name });
    await pre.runFrom(picture);
    pre.dispose();
    const found = model.run()[chosen.output];
    const [N = 0, C = 0, H = 0, W = 0] = found?.shape ?? [];
    if (found === undefined || N !== 1 || found.shape.length !== 4)
      throw new Error(`"${chosen.name}" expected maps [1, C, H, W], got ${JSON.stringify(found?.shape ?? [])}`);
    const maps = Math.min(C, MOST_MAPS);
    const values = Float32Array.from(found.toArray() as Float32Array).slice(0, maps * H * W);
    return { nodes: nodes.map(({ name, op }) => ({ name, op })), chosen: chosen.name, values, C, maps, H, W };
  } finally {
    model.dispose();
    picture.close();
  }
}

interface MapsArguments {
  readonly node: string;
  readonly input: Input;
  readonly picture: ImageBitmap;
}
