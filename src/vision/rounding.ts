// Whole pixels of sides and offsets, by the libraries whose models depend on them: one pixel decides which answer comes first.

/** Python's round(): halves to even. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

type Sides = readonly [width: number, height: number];

interface Rule {
  /** What a picture becomes that is to fit into a size. */
  letterbox(picture: Sides, size: Sides): Sides;
  /** From half of what a margin leaves, and of what a crop leaves, to its offset. */
  margin(half: number): number;
  crop(half: number): number;
}

/** The side that limits is whole, the other one truncated. */
function within([w, h]: Sides, [W, H]: Sides): Sides {
  return W * h <= H * w ? [W, Math.trunc((h * W) / w)] : [Math.trunc((w * H) / h), H];
}

/**
 * Whose rule makes whole pixels of sides and offsets: torchvision's transforms, transformers' image processors, Ultralytics'
 * LetterBox, YOLOX's preproc, PaddleOCR's resize_norm_img (all of the height).
 */
export type Rounding = "torchvision" | "transformers" | "ultralytics" | "yolox" | "paddleocr";

const RULES: Readonly<Record<Rounding, Rule>> = {
  /** transforms.CenterCrop. */
  torchvision: { letterbox: within, margin: Math.floor, crop: roundEven },
  /** transformers' image_transforms.center_crop. */
  transformers: { letterbox: within, margin: Math.ceil, crop: Math.floor },
  /** ultralytics' LetterBox. */
  ultralytics: {
    letterbox([w, h], [W, H]) {
      const r = Math.min(H / h, W / w);
      return [roundEven(w * r), roundEven(h * r)];
    },
    margin: (half) => roundEven(half - 0.1),
    crop: roundEven,
  },
  /** YOLOX's preproc. */
  yolox: {
    letterbox([w, h], [W, H]) {
      const r = Math.min(H / h, W / w);
      return [Math.trunc(w * r), Math.trunc(h * r)];
    },
    margin: Math.floor,
    crop: Math.floor,
  },
  /** PaddleOCR's resize_norm_img: all of the height, and as many columns as that takes. */
  paddleocr: {
    letterbox: ([w, h], [W, H]) => [Math.min(W, Math.ceil(H * (w / h))), H],
    margin: Math.floor,
    crop: Math.floor,
  },
};

export const ROUNDINGS = Object.keys(RULES) as Rounding[];
export const ruleOf = (rounding: Rounding): Rule => RULES[rounding];
