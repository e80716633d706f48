// Runs examples and checks what they answer: `npm run examples`, or `npm run examples -- NAME …`. Needs a build; models that are in
// neither examples/models (`npm run models`) nor ../shared/data are a visible SKIP. The last line is `N passed, N failed`.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { PNG } from "pngjs";
import { Skip, tried } from "../test/again.mjs";

const root = new URL("..", import.meta.url);
const LIMIT_MS = 1_200_000;

const failures = [];
/** Says what was expected and what came, and keeps what failed. */
function check(what, is, got) {
  if (!is) failures.push(`${what}, got ${got}`);
}

const overlap = (a, b) => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
  return (width * height) / (area(a) + area(b) - width * height);
};

const isInside = ([x, y], [x0, y0, x1, y1], margin = 0) =>
  x >= x0 - margin && x <= x1 + margin && y >= y0 - margin && y <= y1 + margin;

/** Share of characters that two texts have in common, in order: 1 - Levenshtein distance / length. */
function similarity(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return 1 - row[b.length] / Math.max(a.length, b.length);
}

const picture = (name) => PNG.sync.read(readFileSync(new URL(`examples/out/${name}.png`, root)));

/** float32 of a .npy file. */
function npy(path) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

/** What each must answer, by photo; a photo that is not there is not asked for. */
const CHECKS = {
  classify(found) {
    const expected = {
      "chelsea.jpg": ["Egyptian cat", 0.8],
      "coffee.jpg": ["espresso", 0.9],
      "ort-examples--goldfish.jpg": ["goldfish", 0.95],
      "ort-examples--wolves.jpg": ["white wolf", 0.9],
    };
    for (const [name, [top]] of Object.entries(found)) {
      const [label, least] = expected[name];
      check(`${name}: ${label} above ${least}`, top.label === label && top.score > least, `${top.label} ${top.score}`);
    }
  },
  "wrong-answers"(found) {
    const expected = {
      "chelsea.jpg": "Egyptian cat",
      "coffee.jpg": "espresso",
      "ort-examples--goldfish.jpg": "goldfish",
    };
    for (const [name, ways] of Object.entries(found)) {
      const label = expected[name] ?? "white wolf";
      const shareOf = (way) => ways[way].find((answer) => answer.label === label)?.score ?? 0;
      check(`${name}: right is ${label}`, shareOf("right") > 0.8, JSON.stringify(ways.right));
      for (const way of ["0 to 255, no mean", "channels last in a model of channels first"])
        check(`${name}: ${way} is not ${label}`, shareOf(way) < 0.05, JSON.stringify(ways[way]));
    }
  },
  detect(found) {
    const expected = {
      "onnxmodels--000000017968.jpg": [
        ["dog", [0, 126, 534, 420]],
        ["couch", [0, 1, 639, 478]],
        ["cat", [373, 33, 583, 392]],
      ],
      "coffee.jpg": [["cup", [167, 18, 419, 260]]],
    };
    for (const [name, objects] of Object.entries(expected))
      for (const [label, box] of found[name] ? objects : []) {
        const best = Math.max(
          0,
          ...found[name].filter((one) => one.label === label).map((one) => overlap(one.box, box)),
        );
        check(`${name}: a ${label} at ${box}, IoU at least 0.9`, best >= 0.9, best);
      }
  },
  faces(found) {
    const expected = { "astronaut.jpg": 1, "linzaer--13.jpg": 2, "linzaer--2.jpg": 4 };
    for (const [name, detectors] of Object.entries(found))
      for (const [detector, faces] of Object.entries(detectors)) {
        const count = expected[name];
        const least = detector === "blazeface" ? Math.min(count, 3) : count;
        check(`${name}, ${detector}: ${count} faces`, faces.length >= least && faces.length <= count, faces.length);
        for (const { box, points = [] } of faces) {
          // Of BlazeFace the last two points are ears, which its boxes cut.
          const inside = points.slice(0, 4).every((point) => isInside(point, box));
          check(`${name}, ${detector}: points inside of boxes`, inside, JSON.stringify({ box, points }));
        }
      }
  },
  "face-mesh"(found) {
    const expected = { "astronaut.jpg": 1, "onnxmodels--baby.jpg": 1, "linzaer--13.jpg": 2 };
    for (const [name, faces] of Object.entries(found)) {
      check(`${name}: ${expected[name]} faces`, faces.length === expected[name], faces.length);
      for (const { face, points, score } of faces) {
        check(`${name}: 468 points`, points.length === 468, points.length);
        check(`${name}: a face by 0.9`, score > 0.9, score);
        const size = face.box[2] - face.box[0];
        check(
          `${name}: points on the face`,
          points.every((point) => isInside(point, face.box, size / 2)),
          "others",
        );
        // Corners of the eyes (33, 263) and the tip of the nose (1) are where YuNet says, to a fifth of the face.
        const eyes = [33, 133].map((i) => points[i]).map(([x, y]) => [x / 2, y / 2]);
        const near = [
          [[eyes[0][0] + eyes[1][0], eyes[0][1] + eyes[1][1]], face.points[0]],
          [points[1], face.points[2]],
        ];
        for (const [a, b] of near) {
          const distance = Math.hypot(a[0] - b[0], a[1] - b[1]);
          check(`${name}: mesh and detector agree`, distance < size / 5, `${distance} of ${size}`);
        }
      }
    }
  },
  "cut-out"(found) {
    const expected = { "linzaer--13.jpg": [0.58, 0.66], "astronaut.jpg": [0.56, 0.64] };
    for (const [name, share] of Object.entries(found)) {
      const [least, most] = expected[name];
      check(`${name}: ${least} to ${most} opaque`, share >= least && share <= most, share);
      const { data } = picture(`cut-out-${name.replace(/\.\w+$/, "")}`);
      const alphas = data.filter((_, i) => i % 4 === 3);
      check(`${name}: a PNG with transparency`, alphas.includes(0) && alphas.includes(255), "none");
    }
  },
  async enlarge(found) {
    for (const [name, { width, height }] of Object.entries(found))
      check(`${name}: 672 x 672`, width === 672 && height === 672, `${width} x ${height}`);
    const [cat] = Object.keys(found).filter((name) => name.includes("cat_224"));
    const folder = new URL("../shared/data/refs/super-resolution-10/cat/", root);
    if (!cat || !existsSync(folder)) return console.log("  SKIP the luma: no reference");
    const luma = npy(new URL("output_0.npy", folder));
    const far = (values) => values.reduce((most, value, i) => Math.max(most, Math.abs(value - luma[i])), 0);
    // The reference's luma is not rounded to bytes, as Pillow's and ours is: on its own input 1e-4, on the photo what half a level makes.
    const rt = await createRuntime();
    const model = await loadOnnx(rt, readFileSync(new URL("../shared/data/models/super-resolution-10.onnx", root)));
    const { output } = model.run({ input: { data: npy(new URL("input_0.npy", folder)), shape: [1, 1, 224, 224] } });
    check(`${cat}: luma within 1e-4 of the reference`, far([...output.data]) < 1e-4, far([...output.data]));
    rt.dispose();
    check(
      `${cat}: from bytes within two levels`,
      found[cat].luma.length === luma.length && far(found[cat].luma) < 2 / 255,
      far(found[cat].luma),
    );
  },
  lines(found) {
    const lines = found["linzaer--13.jpg"];
    if (lines === undefined) return console.log("  SKIP the picture frame: no photo");
    // Of the frame: its lower edge, outside and inside, and its right edge, both ways round.
    for (const edge of [
      [190, 159, 305, 156],
      [185, 130, 300, 129],
      [371, 1, 376, 162],
    ]) {
      const far = (line, [x0, y0, x1, y1]) =>
        Math.max(Math.hypot(line[0] - x0, line[1] - y0), Math.hypot(line[2] - x1, line[3] - y1));
      const least = Math.min(
        ...lines.flatMap(({ line: [a, b, c, d] }) => [far([a, b, c, d], edge), far([c, d, a, b], edge)]),
      );
      check(`the frame's edge ${edge}, both ends within 8 pixels`, least < 8, least);
    }
  },
  "read-text"(found) {
    const expected = [
      "Convolution in every runtime",
      "The quick brown fox jumps over the lazy dog",
      "Invoice 2026-0147",
      "Total: 1,234.50 EUR, due in 14 days",
    ];
    const lines = found["page.png"];
    check("page.png: 4 lines", lines.length === 4, lines.length);
    for (const [i, text] of expected.entries()) {
      const got = lines[i]?.text ?? "";
      check(
        `page.png: ${JSON.stringify(text)}, similarity at least 0.9`,
        similarity(text, got) >= 0.9,
        JSON.stringify(got),
      );
    }
    // Plans of all widths share weights and room: a new one takes what it needs more of the latter.
    for (const [i, { held, width }] of lines.slice(1).entries())
      check(`a line ${width} wide: 2 MB more at most`, held - lines[i].held <= 2e6, held - lines[i].held);
  },
  video({ frames, growth, seen }) {
    check("300 frames", frames === 300, frames);
    // A frame is 1 MB: 300 of them, kept, would be 300.
    check("heap flat: less than 10 MB more", growth < 10e6, growth);
    check("the cup in at least 9 of 10 frames", seen >= 270, seen);
  },
};

const wanted = process.argv.slice(2);
let [passed, failed] = [0, 0];
for (const [name, checkOne] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const path = fileURLToPath(new URL(`examples/${name}.mjs`, root));
  const options = { encoding: "utf8", timeout: LIMIT_MS, maxBuffer: 2 ** 28 };
  const attempt = async () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [path, "--json"], options);
    const lines = stdout.trimEnd().split("\n");
    const last = status === 0 && lines.at(-1)?.startsWith("{") ? lines.pop() : undefined;
    console.log([`${name}:`, ...lines].join("\n  "));
    if (status === 0 && last === undefined && lines.some((line) => line.startsWith("SKIP"))) throw new Skip(name);
    failures.length = 0;
    if (last === undefined) failures.push(`ended with ${status}: ${stderr.slice(-600)}`);
    else await checkOne(JSON.parse(last));
    return { problems: failures };
  };
  const { status, note } = await tried(attempt);
  if (status === "FAIL") console.log(`  FAIL ${name}: ${note}`);
  else if (note && status === "ok") console.log(`  ok ${name}, ${note}`);
  if (status === "FAIL") failed++;
  if (status === "ok") passed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
