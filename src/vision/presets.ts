// What well-known models learned from. Each is a spec without a size, to be spread: { ...presets.imagenet, model }.
import type { PreprocessSpec } from "./spec.js";

const BYTE = 1 / 255;
/** Means and deviations of ImageNet's colours. */
const IMAGENET = { scale: BYTE, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** What well-known models learned from; sizes are the model's. */
export const presets = {
  /** torchvision.transforms._presets.ImageClassification: Resize(256), CenterCrop(224), of models of 224 pixels. */
  imagenet: { ...IMAGENET, fit: "crop", resize: 256 },
  /** timm.data.config: crop_pct 0.875, bicubic. */
  imagenetBicubic: { ...IMAGENET, fit: "crop", resize: 256, filter: "bicubic" },
  /** openai/clip-vit-base-patch32's preprocessor_config.json, as openai/CLIP, clip/clip.py, _transform. */
  clip: {
    scale: BYTE,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    fit: "crop",
    filter: "bicubic",
  },
  /** From 0 to 1. */
  unit: { scale: BYTE },
  /** From -1 to 1, as tf.keras.applications.mobilenet's preprocess_input. */
  signed: { scale: 1 / 127.5, mean: 1 },
  /** Bytes as they are. */
  raw: { scale: 1 },
  /** ultralytics.data.augment.LetterBox and engine/predictor.py: YOLOv5, v8, 11 and their like. */
  yolo: { scale: BYTE, fit: "letterbox", fill: 114, antialias: false, rounding: "ultralytics" },
  /** YOLOX, yolox/data/data_augment.py, preproc. */
  yolox: {
    scale: 1,
    channels: "bgr",
    fit: "letterbox",
    align: "top-left",
    fill: 114,
    antialias: false,
    rounding: "yolox",
  },
  /** NanoDet, config/nanodet-plus-m_320.yml: keep_ratio False, normalize. */
  nanodet: {
    scale: 1,
    channels: "bgr",
    mean: [103.53, 116.28, 123.675],
    std: [57.375, 57.12, 58.395],
    antialias: false,
  },
  /** PaddleDetection, configs/picodet/_base_/picodet_320_reader.yml: interp 2, cubic. */
  picodet: { ...IMAGENET, filter: "bicubic", antialias: false },
  /** Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py. */
  ultraface: { scale: 1, mean: 127, std: 128, antialias: false },
  /** OpenCV, modules/objdetect/src/face_detect.cpp: blobFromImage of a picture padded at its right and bottom. */
  yunet: { scale: 1, channels: "bgr", fit: "letterbox", align: "top-left", antialias: false, rounding: "yolox" },
  /** MediaPipe, modules/face_detection/face_detection.pbtxt: keep_aspect_ratio, -1 to 1, zero border. */
  blazeface: { scale: 1 / 127.5, mean: 1, fit: "letterbox", antialias: false },
  /** PaddleOCR, configs/det/ch_PP-OCRv4: DetResizeForTest, NormalizeImage in the order of BGR. */
  ppocrDet: { ...IMAGENET, channels: "bgr", antialias: false },
  /** PaddleOCR, tools/infer/predict_rec.py, resize_norm_img: zeros to the right of the line. */
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
} as const satisfies Readonly<Record<string, PreprocessSpec>>;
