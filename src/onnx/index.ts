// lanewise/onnx: networks as training tools export them. Operators that few files have are chunks of their own, fetched when a file
// has one.

/**
 * Networks from ONNX files. Begin with {@link loadOnnx}.
 *
 * @module lanewise/onnx
 */

import { makeDescribeOnnx, makeLoadOnnx, makeLoadQuantizedWeights } from "./load.js";

export * from "./api.js";

/**
 * Reads an ONNX file and plans it. Where every input shape is known, the model is ready then, and nothing of the file is kept;
 * else it is planned when a run brings the first shapes, and again for others, from a copy of the file. Source: bytes, a Blob, a
 * Response, a stream, an address that fetch() reaches, or a promise of any of these.
 *
 * @example
 * ```js
 * import { readFile } from "node:fs/promises";
 * import { createRuntime } from "lanewise";
 * import { loadOnnx } from "lanewise/onnx";
 *
 * const rt = await createRuntime();
 * const model = await loadOnnx(rt, await readFile("model.onnx"), { maxBytes: 64e6 }); // in a page: fetch("model.onnx")
 * model.inputs; // [{ name: "image", shape: [1, 3, 16, 16], dtype: "float32", … }]
 * ```
 *
 * @throws (rejects with) ModelError for a file that does not hold together, asks for more than maxMacs or has a tensor beyond
 *   what maxBytes (default: a GiB) allows; UnsupportedError naming every operator that is missing; OutOfMemoryError for more
 *   than maxBytes in all.
 * @function
 */
export const loadOnnx = makeLoadOnnx(
  {
    "layers-reduction": () => import("./families/layers-reduction.js"),
    "layers-functions": () => import("./families/layers-functions.js"),
    "layers-resize": () => import("./families/layers-resize.js"),
    "layers-computed": () => import("./families/layers-computed.js"),
    "layers-rare": () => import("./families/layers-rare.js"),
    "layers-quantised": () => import("./families/layers-quantised.js"),
    "layers-picking": () => import("./families/layers-picking.js"),
    "layers-sampling": () => import("./families/layers-sampling.js"),
    "layers-audio": () => import("./families/layers-audio.js"),
    "layers-recurrent": () => import("./families/layers-recurrent.js"),
    "layers-int8": () => import("./families/layers-int8.js"),
    "layers-dynamic": () => import("./families/layers-dynamic.js"),
    "host-network": () => import("./families/host-network.js"),
    "host-movement": () => import("./families/host-movement.js"),
    "host-picking": () => import("./families/host-picking.js"),
    "host-reduction": () => import("./families/host-reduction.js"),
    "host-image": () => import("./families/host-image.js"),
    "graph-folds": () => import("./families/graph-folds.js"),
    "graph-moves": () => import("./families/graph-moves.js"),
    "graph-attention": () => import("./families/graph-attention.js"),
    "file-functions": () => import("./families/file-functions.js"),
    weights: () => import("./families/weights.js"),
    "late-stages": () => import("./families/late-stages.js"),
    "parts-dynamic": () => import("./families/parts-dynamic.js"),
    "parts-fused": () => import("./families/parts-fused.js"),
    "parts-attention": () => import("./families/parts-attention.js"),
    "forms-network": () => import("./families/forms-network.js"),
    "forms-other": () => import("./families/forms-other.js"),
    "host-recurrent": () => import("./families/host-recurrent.js"),
    "host-signal": () => import("./families/host-signal.js"),
    "host-rare": () => import("./families/host-rare.js"),
    "host-quantising": () => import("./families/host-quantising.js"),
    "host-control": () => import("./families/host-control.js"),
    "host-quantised": () => import("./families/host-quantised.js"),
  },
  {
    source: () => import("./outside/source.js"),
    external: () => import("./outside/external.js"),
    kinds: () => import("./outside/kinds.js"),
  },
);

/**
 * What an ONNX file says of itself: inputs and outputs, operators and which of them are missing here, metadata. Plans nothing, so that
 * it also answers where shapes are open, operators are not supported or constants are in other files.
 *
 * @throws (rejects with) ModelError for what is no ONNX file or does not hold together, as loadOnnx() does.
 * @function
 */
export const describeOnnx = makeDescribeOnnx({
  describe: () => import("./outside/describe.js"),
  functions: () => import("./families/file-functions.js"),
  source: () => import("./outside/source.js"),
  kinds: () => import("./outside/kinds.js"),
});

/**
 * Brings what createModel() needs for `quantizeWeights` to a runtime: code and kernels. loadOnnx() does it by itself.
 *
 * @throws (rejects with) UnsupportedError where the kernels cannot be loaded, DisposedError.
 * @function
 */
export const loadQuantizedWeights = makeLoadQuantizedWeights(() => import("./families/weights.js"));
