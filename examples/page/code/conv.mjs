import { createRuntime } from "lanewise";

const rt = await createRuntime();
const image = Float32Array.from({ length: 25 }, (_, i) => i);
const x = rt.tensor(image, [1, 1, 5, 5]); // N, C, H, W
const w = rt.tensor([1, 0, -1, 2, 0, -2, 1, 0, -1], [1, 1, 3, 3]); // M, C / groups, R, S
const y = rt.conv2d(x, w, null, { stride: 2, padding: 1, dilation: 1, groups: 1 });
const pooled = rt.maxPool2d(y, { kernel: 2, stride: 1 });
const back = rt.convTranspose2d(y, w, null, { stride: 2, padding: 1 });
console.log(y.shape, y.toArray()); // [1, 1, 3, 3]
console.log(pooled.shape, back.shape); // [1, 1, 2, 2], [1, 1, 5, 5]
