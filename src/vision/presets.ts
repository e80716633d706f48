// What well-known models learned from. Each is a spec without a size, to be spread: { ...presets.imagenet, model }.
import type { PreprocessSpec } from "./spec.js";

const BYTE = 1 / 255;
/** Means and deviations of ImageNet's colours. */
const IMAGENET = { scale: BYTE, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** What well-known models learned from; each has its source. */
export interface Presets {
  /** torchvision.transforms._presets.ImageClassification: Resize(256), CenterCrop(224), of models of 224 pixels. */
  readonly imagenet: PreprocessSpec;
  /** timm.data.config: crop_pct 0.875, bicubic. */
  readonly imagenetBicubic: PreprocessSpec;
  /** openai/clip-vit-base-patch32's preprocessor_config.json, as openai/CLIP, clip/clip.py, _transform. */
  readonly clip: PreprocessSpec;
  /** From 0 to 1. */
  readonly unit: PreprocessSpec;
  /** From -1 to 1, as tf.keras.applications.mobilenet's preprocess_input. */
  readonly signed: PreprocessSpec;
  /** Bytes as they are. */
  readonly raw: PreprocessSpec;
  /** ultralytics.data.augment.LetterBox and engine/predictor.py: YOLOv5, v8, 11 and their like. */
  readonly yolo: PreprocessSpec;
  /** YOLOX, yolox/data/data_augment.py, preproc. */
  readonly yolox: PreprocessSpec;
  /** NanoDet, config/nanodet-plus-m_320.yml: keep_ratio False, normalize. */
  readonly nanodet: PreprocessSpec;
  /** PaddleDetection, configs/picodet/_base_/picodet_320_reader.yml: interp 2, cubic. */
  readonly picodet: PreprocessSpec;
  /** Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py. */
  readonly ultraface: PreprocessSpec;
  /** OpenCV, modules/objdetect/src/face_detect.cpp: blobFromImage of a picture padded at its right and bottom. */
  readonly yunet: PreprocessSpec;
  /** MediaPipe, modules/face_detection/face_detection.pbtxt: keep_aspect_ratio, -1 to 1, zero border. */
  readonly blazeface: PreprocessSpec;
  /** PaddleOCR, configs/det/ch_PP-OCRv4: DetResizeForTest, NormalizeImage in the order of BGR. */
  readonly ppocrDet: PreprocessSpec;
  /** PaddleOCR, tools/infer/predict_rec.py, resize_norm_img: zeros to the right of the line. */
  readonly ppocrRec: PreprocessSpec;
}

/** What well-known models learned from; sizes are the model's. */
export const presets: Presets = {
  imagenet: { ...IMAGENET, fit: "crop", resize: 256 },
  imagenetBicubic: { ...IMAGENET, fit: "crop", resize: 256, filter: "bicubic" },
  clip: {
    scale: BYTE,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    fit: "crop",
    filter: "bicubic",
  },
  unit: { scale: BYTE },
  signed: { scale: 1 / 127.5, mean: 1 },
  raw: { scale: 1 },
  yolo: { scale: BYTE, fit: "letterbox", fill: 114, antialias: false, rounding: "ultralytics" },
  yolox: {
    scale: 1,
    channels: "bgr",
    fit: "letterbox",
    align: "top-left",
    fill: 114,
    antialias: false,
    rounding: "yolox",
  },
  nanodet: {
    scale: 1,
    channels: "bgr",
    mean: [103.53, 116.28, 123.675],
    std: [57.375, 57.12, 58.395],
    antialias: false,
  },
  picodet: { ...IMAGENET, filter: "bicubic", antialias: false },
  ultraface: { scale: 1, mean: 127, std: 128, antialias: false },
  yunet: { scale: 1, channels: "bgr", fit: "letterbox", align: "top-left", antialias: false, rounding: "yolox" },
  blazeface: { scale: 1 / 127.5, mean: 1, fit: "letterbox", antialias: false },
  ppocrDet: { ...IMAGENET, channels: "bgr", antialias: false },
  ppocrRec: {
    scale: BYTE,
    mean: 0.5,
    std: 0.5,
    channels: "bgr",
    fit: "letterbox",
    align: "top-left",
    fill: 127.5,
    antialias: false,
    rounding: "paddleocr",
  },
};
