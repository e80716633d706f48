// lanewise/vision: photos to a model's input, with the pixels that Python has, and back. The kernels travel inside the JavaScript.

/**
 * Photos to a model's input, with the pixels that Python has ({@link createPreprocessor}), and answers back to boxes, masks, points, classes
 * and text ({@link topK}, {@link decodeYolo} and others).
 *
 * @module lanewise/vision
 */

import binary from "../../build/wasm/vision.wasm";
import { makeApplyMask, makeMergeLuma, makeResizeImage } from "./back.js";
import { makeCreatePreprocessor, makePreprocess } from "./preprocess.js";
import type { Binary } from "./resample/binary.js";

export * from "./api.js";

/** The build, and vitest.config.ts, make this import compile at once: a few KB. */
const load = binary as unknown as Binary;
let compiled: WebAssembly.Module | undefined;
const own: Binary = (twin) => {
  if (twin) return load(twin);
  compiled ??= load();
  return compiled;
};

/**
 * Makes what writes photos where a model reads: size, memory format and dtype are those of the model's input, or of `size` and a
 * tensor of its own.
 *
 * @example
 * ```js
 * import { readFile } from "node:fs/promises";
 * import { createRuntime } from "lanewise";
 * import { loadOnnx } from "lanewise/onnx";
 * import { createPreprocessor, presets } from "lanewise/vision";
 *
 * const rt = await createRuntime();
 * const model = await loadOnnx(rt, await readFile("model.onnx"));
 * const pre = createPreprocessor(rt, { ...presets.imagenet, model });
 * const view = pre.run({ data: new Uint8Array(640 * 480 * 4), width: 640, height: 480 }); // in a page: await pre.runFrom(bitmap)
 * const { logits } = model.run();
 * view.toImage([8, 8]); // a point of the model's input, in the photo
 * ```
 *
 * @throws TypeError or RangeError for an option, ModelError for an input that the model lacks, ShapeError for one that is no image, of
 *   other channels or sizes, or of open sizes without `size`, UnsupportedError for a binary that does not do, OutOfMemoryError,
 *   DisposedError.
 * @function
 */
export const createPreprocessor = /* @__PURE__ */ makeCreatePreprocessor(own);

/**
 * One photo as a tensor [1, C, H, W] that is yours to dispose.
 *
 * @throws what createPreprocessor() and Preprocessor.run() throw; nothing stays allocated then.
 * @function
 */
export const preprocess = /* @__PURE__ */ makePreprocess(own);

/**
 * A picture of another size, a number or [height, width], as RGBA: the bytes of Pillow's resize(), of RGBA too. `filter` and
 * `antialias` are those of a spec.
 *
 * @throws TypeError or RangeError for what is no picture, size or option, OutOfMemoryError, DisposedError.
 * @function
 */
export const resizeImage = /* @__PURE__ */ makeResizeImage(own);

/**
 * A picture with the luma that a model made of it, of whatever size: a tensor of one channel from 0 to 1 (rounded, where many
 * scripts truncate), or a grey picture. Chroma is Pillow's: YCbCr, made larger by bicubic.
 *
 * @throws TypeError or RangeError for what is no picture, ShapeError for a luma of other than one channel, OutOfMemoryError,
 *   DisposedError.
 * @function
 */
export const mergeLuma = /* @__PURE__ */ makeMergeLuma(own);

/**
 * A photo with a model's mask for its alpha: a tensor of one channel from 0 to 1, or a grey picture, over all of the model's
 * input, at whatever size. Through the view of the run it is made as large as the photo, bilinearly; what the model did not see is
 * transparent, and alpha that the photo has is multiplied.
 *
 * @throws TypeError or RangeError for what is no picture, ShapeError for one that is not the view's or a mask of other than one
 *   channel, OutOfMemoryError, DisposedError.
 * @function
 */
export const applyMask = /* @__PURE__ */ makeApplyMask(own);
