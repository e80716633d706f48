// What every entry of lanewise/vision exports, but for what calls kernels, which each entry makes with its own way to have them.

export * from "./answers/index.js";
export { type ResizeOptions, toImage } from "./back.js";
export { fromPreprocessorConfig } from "./hugging-face.js";
export type { FrameSource } from "./picture/frame.js";
export type { Picture, RawPicture, RgbaPicture } from "./picture/picture.js";
export type {
  CreatePreprocessor,
  FrameOptions,
  PhotoOptions,
  PreprocessOptions,
  Preprocessor,
  PreprocessorOptions,
} from "./preprocess.js";
export { type Presets, presets } from "./presets.js";
export type { KernelOptions } from "./resample/binary.js";
export type { Filter } from "./resample/taps.js";
export type { Rounding } from "./rounding.js";
export type { PreprocessSpec, Region } from "./spec.js";
export type { ImageDType, ImageModel, TensorOptions as ImageTensorOptions } from "./target.js";
export { type Affine, type Box, type Point, View } from "./view.js";
