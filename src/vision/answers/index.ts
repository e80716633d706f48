// Answers: what models say as numbers, as boxes, points, classes and text in pixels of the photo. Pure functions of tensors or typed arrays;
// nothing here touches a DOM, a canvas or Node.
export {
  type BoxesOptions,
  type BoxFormat,
  decodeBoxes,
  decodeRows,
  type RowColumn,
  type RowsOptions,
} from "./boxes.js";
export type { AnswerView, DetectionOptions } from "./detections.js";
export { type DistanceHead, type DistanceOptions, decodeDistances } from "./distances.js";
export { type Drawable, type DrawableMask, type DrawOptions, drawDetections } from "./draw.js";
export { decodeGrid, type GridOptions, type PeakHeads } from "./grid.js";
export { decodePoints, heatmapKeypoints, type Keypoint, type KeypointOptions, type PointOptions } from "./keypoints.js";
export { labelsOf, type WithMetadata } from "./labels.js";
export { type Colour, colourize, type LabelMap, type LabelMapOptions, labelMap } from "./maps.js";
export type { Numbers, Shaped } from "./numbers.js";
export {
  argmax,
  type ClassScore,
  cosineSimilarity,
  type ScoreActivation,
  sigmoid,
  softmax,
  type TopKOptions,
  topK,
} from "./scores.js";
export { decodeSsd, type SsdAnchorOptions, type SsdOptions, ssdAnchors } from "./ssd.js";
export {
  type Detection,
  type NonMaxSuppressionOptions,
  nonMaxSuppression,
  type Suppressible,
  type SuppressionMethod,
  type SuppressionOptions,
} from "./suppress.js";
export {
  type CtcOptions,
  type CtcText,
  ctcDecode,
  type TextRegion,
  type TextRegionOptions,
  textRegions,
} from "./text.js";
export { decodeYolo, type YoloOptions } from "./yolo.js";
