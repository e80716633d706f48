// lanewise/vision: photos to a model's input, with the pixels that Python has, and back.

export { type Affine, type Box, type Point, View } from "./view.js";
