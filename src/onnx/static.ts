// lanewise/onnx where everything is bundled ahead: workerd. The same with every operator in it.

import * as fileFunctions from "./families/file-functions.js";
import * as formsNetwork from "./families/forms-network.js";
import * as formsOther from "./families/forms-other.js";
import * as graphAttention from "./families/graph-attention.js";
import * as graphFolds from "./families/graph-folds.js";
import * as graphMoves from "./families/graph-moves.js";
import * as hostControl from "./families/host-control.js";
import * as hostImage from "./families/host-image.js";
import * as hostMovement from "./families/host-movement.js";
import * as hostNetwork from "./families/host-network.js";
import * as hostPicking from "./families/host-picking.js";
import * as hostQuantised from "./families/host-quantised.js";
import * as hostQuantising from "./families/host-quantising.js";
import * as hostRare from "./families/host-rare.js";
import * as hostRecurrent from "./families/host-recurrent.js";
import * as hostReduction from "./families/host-reduction.js";
import * as hostSignal from "./families/host-signal.js";
import * as lateStages from "./families/late-stages.js";
import * as layersAudio from "./families/layers-audio.js";
import * as layersComputed from "./families/layers-computed.js";
import * as layersDynamic from "./families/layers-dynamic.js";
import * as layersFunctions from "./families/layers-functions.js";
import * as layersInt8 from "./families/layers-int8.js";
import * as layersPicking from "./families/layers-picking.js";
import * as layersQuantised from "./families/layers-quantised.js";
import * as layersRare from "./families/layers-rare.js";
import * as layersRecurrent from "./families/layers-recurrent.js";
import * as layersReduction from "./families/layers-reduction.js";
import * as layersResize from "./families/layers-resize.js";
import * as layersSampling from "./families/layers-sampling.js";
import * as partsAttention from "./families/parts-attention.js";
import * as partsDynamic from "./families/parts-dynamic.js";
import * as partsFused from "./families/parts-fused.js";
import * as weights from "./families/weights.js";
import { makeDescribeOnnx, makeLoadOnnx, makeLoadQuantizedWeights } from "./load.js";
import * as describe from "./outside/describe.js";
import * as external from "./outside/external.js";
import * as kinds from "./outside/kinds.js";
import * as source from "./outside/source.js";

export * from "./api.js";

/** See index.ts. */
export const loadOnnx = makeLoadOnnx(
  {
    "layers-reduction": async () => layersReduction,
    "layers-functions": async () => layersFunctions,
    "layers-resize": async () => layersResize,
    "layers-computed": async () => layersComputed,
    "layers-rare": async () => layersRare,
    "layers-quantised": async () => layersQuantised,
    "layers-picking": async () => layersPicking,
    "layers-sampling": async () => layersSampling,
    "layers-audio": async () => layersAudio,
    "layers-recurrent": async () => layersRecurrent,
    "layers-int8": async () => layersInt8,
    "layers-dynamic": async () => layersDynamic,
    "host-network": async () => hostNetwork,
    "host-movement": async () => hostMovement,
    "host-picking": async () => hostPicking,
    "host-reduction": async () => hostReduction,
    "host-image": async () => hostImage,
    "graph-folds": async () => graphFolds,
    "graph-moves": async () => graphMoves,
    "graph-attention": async () => graphAttention,
    "file-functions": async () => fileFunctions,
    weights: async () => weights,
    "late-stages": async () => lateStages,
    "parts-dynamic": async () => partsDynamic,
    "parts-fused": async () => partsFused,
    "parts-attention": async () => partsAttention,
    "forms-network": async () => formsNetwork,
    "forms-other": async () => formsOther,
    "host-recurrent": async () => hostRecurrent,
    "host-signal": async () => hostSignal,
    "host-rare": async () => hostRare,
    "host-quantising": async () => hostQuantising,
    "host-control": async () => hostControl,
    "host-quantised": async () => hostQuantised,
  },
  {
    source: async () => source,
    external: async () => external,
    kinds: async () => kinds,
  },
);

/** See index.ts. */
export const describeOnnx = makeDescribeOnnx({
  describe: async () => describe,
  functions: async () => fileFunctions,
  source: async () => source,
  kinds: async () => kinds,
});

/** See index.ts. */
export const loadQuantizedWeights = makeLoadQuantizedWeights(async () => weights);
