// What a file that is no ONNX looks like, and what to do about it. A chunk of its own: only a file that was refused asks for it.
// None of these beginnings is one that an ONNX file has.
import { ModelError, show } from "../../base/errors.js";

/** Bytes that are looked at. */
const HEAD_BYTES = 4096;

/** By how a file begins, one character a byte: what it looks like, and what to do. The first that fits counts. */
// biome-ignore-start lint/suspicious/noControlCharactersInRegex: files begin with them.
const KINDS: readonly (readonly [RegExp, string, string])[] = [
  [/^$/, "an empty file", "look at how it was downloaded or built"],
  [
    /^\s*<(!doctype html|html|head|body|!--)/i,
    "a web page (HTML)",
    "look at the address, since servers answer so for files that they do not have",
  ],
  [/^\s*<[?\w]/, "XML, as OpenVINO and servers' errors have it", "take the .onnx file"],
  [
    /^version https:\/\/git-lfs/,
    "a git-lfs pointer, not the file that it stands for",
    '"git lfs pull" fetches that, or the address of the raw file',
  ],
  [
    /^\s*\{[\s\S]*("format":\s*"(graph|layers)-model"|"modelTopology")/,
    "JSON, the model.json of TensorFlow.js",
    "convert the network that it was made of (tf2onnx)",
  ],
  [/^\s*[{[]\s*["{[\]}\d]/, "JSON", "take the .onnx file"],
  [/^\x1f\x8b/, "a gzip file", 'unpack it first (gunzip, or new DecompressionStream("gzip"))'],
  [/^(BZh|7z\xbc\xaf|\xfd7zXZ|\x28\xb5\x2f\xfd|Rar!)/, "a compressed file", "unpack it first"],
  [
    /^PK\x03\x04[\s\S]*data\.pkl/,
    "a PyTorch file (.pt, .pth)",
    "export the network in Python with torch.onnx.export()",
  ],
  [/^PK[\x03\x05]/, "a zip archive", "unpack it first (of Keras or NumPy: export to ONNX)"],
  [
    /^\x80[\x02-\x05][\x00-\xff]/,
    "a pickled Python object (.pt, .pth, .pkl)",
    "export it in Python with torch.onnx.export()",
  ],
  [/^[\s\S]{4}ORTM/, "a network in onnxruntime's own format (.ort)", "take the .onnx file that it was made of"],
  [/^[\s\S]{4}TFL3/, "a TensorFlow Lite network (.tflite)", "convert it (tf2onnx --tflite)"],
  [/^[\s\S]{6}\x00\x00\{/, "a safetensors file, weights without a network", "readSafetensors() reads these"],
  [/^\x89HDF/, "an HDF5 file, as Keras has it (.h5)", "convert it (tf2onnx)"],
  [/^(GGUF|ggml)/, "a GGUF file, of language models", "take the .onnx file"],
  [/^\x93NUMPY/, "a NumPy array (.npy)", "that is data, not a network"],
  [/^(\x89PNG|\xff\xd8\xff|GIF8|RIFF[\s\S]{4}WEBP)/, "an image", "that is data, not a network"],
  [/^\x00asm/, "a WebAssembly binary", "take the .onnx file"],
];
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: see above.

/** The error for a file that `cause` says is none: what it looks like, where that is known; else the cause. */
export function notOnnx(bytes: Uint8Array, from: string | undefined, cause: unknown): unknown {
  // One character a byte, but for a byte order mark, and UTF-16 as if it were of single bytes.
  const begin = String.fromCharCode(...bytes.subarray(0, HEAD_BYTES));
  const isWide = /^(\xff\xfe|\xfe\xff)/.test(begin);
  const head = isWide ? begin.slice(2).replaceAll("\0", "") : begin.replace(/^\xef\xbb\xbf/, "");
  const [kind, todo] = KINDS.find(([pattern]) => pattern.test(head))?.slice(1) ?? [];
  const isText = /^[\t\n\r -~]{4,}$/.test(head.slice(0, 200));
  const what = kind ?? (isText ? `text that begins ${show(head.slice(0, 60))}` : undefined);
  if (what === undefined) return cause;
  const message = `"model" expected an ONNX file, got ${what}${from ? ` from ${from}` : ""}${todo ? `: ${todo}` : ""}`;
  return new ModelError(message, { cause });
}
