// Our side of the comparison with peers; here, because bench/peers is a package of its own and knows no "lanewise".
import { createRuntime } from "lanewise";

/** Opens a layer on one binary: see peers/sides.mjs. One module for all layers, because optimised code stays with it. */
export function lanewise(variant, wasm) {
  return async (layer, data) => {
    const rt = await createRuntime({ variant, wasm });
    const { operator, N, C, H, W, M, R, S, groups, stride, dilation, padding, kernel } = layer;
    const image = operator !== "linear";
    const shape = image ? [N, C, H, W] : [N, C];
    const x = rt.empty(shape, image ? { memoryFormat: "channelsLast" } : {});
    x.data.set(data.x);
    const weights = () => ({
      bias: rt.tensor(data.bias, [M]),
      weight: rt.tensor(data.w, image ? [M, C / groups, R, S] : [M, C]),
    });
    const input = { input: shape, memoryFormat: "channelsLast" };
    const plan = {
      conv: () => rt.plan.conv2d({ ...input, ...weights(), stride, padding, dilation, groups }),
      linear: () => rt.plan.linear({ input: shape, ...weights() }),
      max: () => rt.plan.maxPool2d({ ...input, kernel, stride, padding }),
      average: () => rt.plan.avgPool2d({ ...input, kernel, stride, padding }),
      global: () => rt.plan.globalAvgPool(input),
    }[operator]();
    const y = rt.empty(plan.outputs[0]);
    return {
      run: () => plan.run(x, y),
      output: () => y.data.slice(),
      note: plan.describe().algorithm,
      dispose: () => rt.dispose(),
    };
  };
}
