// inspect, compare, bench, conv and the small commands, each on networks whose numbers are worked out by hand.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { win32 } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { differenceOf } from "../../src/cli/arrays/difference.js";
import { withOutputs } from "../../src/cli/arrays/tap.js";
import { type InspectedPlan, planOf } from "../../src/cli/inspect/report.js";
import { arenaSvg } from "../../src/cli/inspect/svg.js";
import { besideOf, inOrder, isFolderName, outputIn, pairOf } from "../../src/cli/paths.js";
import { bar, shortened, tableLines } from "../../src/cli/text/table.js";
import { createRuntime } from "../../src/index.js";
import { describeOnnx, loadOnnx } from "../../src/onnx/index.js";
import { type File, node, onnxFile, tensorFile, typed } from "../onnx-file.js";
import { jpegOf } from "./pictures.js";
import { CLI, file, floatsNpy, folder, lanewise, MAGIC, MEANS, SUM } from "./tool.js";

const here = folder();
afterAll(() => here.remove());
const run = (...args: string[]) => lanewise(args, { cwd: here.root });

const values = (count: number, of: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => of(i));

/** conv 3 to 4, 3 x 3, padded, of 8 x 8: 4 * 3 * 9 * 64 products, 4 * 3 * 9 + 4 numbers; depthwise of 4: 4 * 9 * 64, 36. */
const NET: File = {
  nodes: [
    node("Conv", ["image", "w", "b"], ["a"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["a"], ["r"]),
    node("Conv", ["r", "d"], ["c"], { pads: [1, 1, 1, 1], group: 4 }),
    node("GlobalAveragePool", ["c"], ["y"]),
  ],
  inputs: { image: [1, 3, 8, 8] },
  outputs: ["y"],
  declared: { y: [1, 4, 1, 1] },
  constants: {
    w: { dims: [4, 3, 3, 3], data: values(108, (i) => ((i * 7) % 11) / 11 - 0.4) },
    b: { dims: [4], data: values(4, (i) => i / 8) },
    d: { dims: [4, 1, 3, 3], data: values(36, (i) => ((i * 5) % 7) / 7 - 0.5) },
  },
  metadata: { author: "nobody" },
};
const MACS = 4 * 3 * 9 * 64 + 4 * 9 * 64;
here.write("net.onnx", file(NET));
here.write("magic.onnx", file(MAGIC));
here.write("open.onnx", onnxFile({ ...NET, inputs: { image: ["batch", 3, "h", "w"] } }));
here.write("batch.onnx", onnxFile({ ...NET, inputs: { image: ["batch", 3, 8, 8] } }));

describe("inspect", () => {
  it("says what a network is and costs", async () => {
    const ran = await run("inspect", "net.onnx");
    expect(ran).toMatchObject({ code: 0, err: "" });
    const lines = ran.out.split("\n");
    expect(lines[0]).toMatch(/^net\.onnx {3}[\d.]+ (KB|B) {3}opset 17 {3}4 nodes in the file, \d steps planned$/);
    expect(ran.out).toContain("in   image  float32 [1, 3, 8, 8]");
    expect(ran.out).toContain("148 parameters");
    expect(ran.out).toMatch(/runs on kernels: all \d steps\nmetadata: author=nobody/);
    const share = ((100 * 6912) / MACS).toFixed(1);
    expect(ran.out).toMatch(new RegExp(`Conv-a +conv2d +\\S+ +1x4x8x8 +0\\.0069 +█+ +${share} % +112`));
    expect(ran.out).toMatch(/by operator: conv2d [\d.]+ % \(1\) {2}depthwise [\d.]+ % \(1\)/);
  });

  it("as JSON with the fields that docs/cli.md has, and the numbers of the model's own summary", async () => {
    const ran = await run("inspect", "net.onnx", "--json");
    const found = JSON.parse(ran.out);
    expect(found).toMatchObject({
      file: "net.onnx",
      opsets: { "ai.onnx": 17 },
      metadata: { author: "nobody" },
      problem: null,
      notes: [],
    });
    expect(found.plan).toMatchObject({ macs: MACS, parameters: 108 + 4 + 36 });
    const rt = await createRuntime({ variant: "simd" });
    const model = await loadOnnx(rt, file(NET));
    const { totals, rows } = model.summary();
    expect(found.plan.layers.map(({ layer }: { layer: string }) => layer)).toEqual(rows.map(({ layer }) => layer));
    expect(found.plan.arenaBytes).toBe(totals.arenaBytes);
    rt.dispose();
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    const keys = new Set<string>();
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (typeof value === "object" && value !== null)
        for (const [key, inner] of Object.entries(value)) {
          keys.add(key);
          if (!["opsets", "metadata"].includes(key)) collect(inner);
        }
    };
    collect(found);
    expect([...keys].filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
  });

  it("as CSV and Markdown, sorted, cut off", async () => {
    const csv = await run("inspect", "net.onnx", "--csv", "--sort", "macs", "--top", "1");
    const [head, first, ...rest] = csv.out.trim().split("\n");
    expect(head).toBe("layer,op,algorithm,output,macs,share,parameters,bytes");
    expect(first).toMatch(/^Conv-a,conv2d,[\w-]+,1x4x8x8,6912,0\.75\d+,112,\d+$/);
    expect(rest).toEqual([]);
    const markdown = await run("inspect", "net.onnx", "--markdown");
    expect(markdown.out.split("\n")[2]).toMatch(/^\| Conv-a \| conv2d \| .* \| 0\.01 \| 75\.\d % \| 112 \| /);
    const timed = await run("inspect", "net.onnx", "--csv", "--time");
    expect(timed.out.split("\n")[1]?.split(",").length).toBe(9);
  });

  it("draws the arena: a bar for each value, none over another", async () => {
    const ran = await run("inspect", "net.onnx", "--svg", "arena drawing.svg");
    expect(ran.code).toBe(0);
    const svg = readFileSync(here.at("arena drawing.svg"), "utf8");
    const bars = [
      ...svg.matchAll(/<g><title>([^<]*)<\/title><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g),
    ];
    const { plan } = JSON.parse((await run("inspect", "net.onnx", "--json")).out);
    expect(bars.length).toBe(plan.arena.length);
    expect(bars[0]?.[1]).toMatch(/^input image: 768 B|^input image: 0\.8 KB/);
    expect(svg).toContain(">peak</text>");
    for (const [i, [, , x, y, w, h]] of bars.entries())
      for (const [, , u, v, s, t] of bars.slice(i + 1)) {
        const [a, b, c, d] = [x, y, w, h].map(Number) as [number, number, number, number];
        const [e, f, g, k] = [u, v, s, t].map(Number) as [number, number, number, number];
        const across = Math.min(a + c, e + g) - Math.max(a, e);
        const up = Math.min(b + d, f + k) - Math.max(b, f);
        expect(across > 1 && up > 1).toBe(false);
      }
    // Well-formed: what opens, closes.
    const stack: string[] = [];
    for (const [, close, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close) expect(stack.pop()).toBe(name);
      else if (!empty) stack.push(name as string);
    }
    expect(stack).toEqual([]);
  });

  it("takes names from files as they are, without their markup or control characters", async () => {
    const rt = await createRuntime({ variant: "simd" });
    const model = await loadOnnx(rt, file(NET));
    const plan: InspectedPlan = planOf(model.summary());
    const bad = plan.layers.map((layer) => ({ ...layer, layer: `<script>"&\u0001` }));
    const svg = arenaSvg({ ...plan, layers: bad }, `<b>&"`);
    for (const part of ["<script", "<b>", "\u0001"]) expect(svg).not.toContain(part);
    rt.dispose();
  });

  it("lets a terminal obey nothing that a file says", async () => {
    // A title, a cleared line, a colour, and the same in one character.
    const name = "a\x1b]0;t\x07\r\x1b[2K\x1b[31m\x9b2J\x7f";
    const [first, second, ...rest] = NET.nodes;
    const nodes = [{ ...first, outputs: [name] }, { ...second, inputs: [name] }, ...rest] as File["nodes"];
    here.write("obey.onnx", onnxFile({ ...NET, nodes }));
    const obeyed = (text: string) => [...text].filter((c) => (c < " " && c !== "\n") || (c >= "\x7f" && c < "\xa0"));
    for (const more of [[], ["--csv"], ["--markdown"]]) {
      const ran = await run("inspect", "obey.onnx", ...more);
      expect([ran.code, obeyed(ran.out), ran.err]).toEqual([0, [], ""]);
      expect(ran.out).toContain("a\ufffd]0;t");
    }
    // Where there are colours, these are all.
    const painted = await run("inspect", "obey.onnx", "--color", "always");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what colours are
    expect(obeyed(painted.out.replace(/\x1b\[\d+m/g, ""))).toEqual([]);
    const none = await run("inspect", "no\x1b[31m.onnx");
    expect([none.code, obeyed(none.err)]).toEqual([4, []]);
  });

  it("describes what cannot be planned", async () => {
    const magic = await run("inspect", "magic.onnx");
    expect(magic.code).toBe(3);
    expect(magic.out).toContain("operators: Relu 1  org.example.Magic 1");
    expect(magic.out).toContain("not supported: org.example.Magic x1 (Magic-y)");
    const json = JSON.parse((await run("inspect", "magic.onnx", "--json")).out);
    expect(json).toMatchObject({ plan: null, problem: "operators that are missing: org.example.Magic x1" });
    const open = await run("inspect", "open.onnx");
    expect(open.code).toBe(0);
    expect(open.out).toContain("in   image  float32 [batch, 3, h, w]");
    expect(open.out).toContain("not planned: open shapes of image: --shape image=1x3x224x224 plans them");
    const planned = JSON.parse((await run("inspect", "open.onnx", "--shape", "image=1x3x8x8", "--json")).out);
    expect(planned.plan.macs).toBe(MACS);
    const named = JSON.parse(
      (await run("inspect", "open.onnx", "--shape", "batch=2", "--shape", "h=8", "--shape", "w=8", "--json")).out,
    );
    expect(named.plan.macs).toBe(2 * MACS);
    const batch = JSON.parse((await run("inspect", "batch.onnx", "--json")).out);
    expect(batch.plan.macs).toBe(MACS);
    expect(batch.notes).toEqual(["batch of image taken as 1: the file leaves it open"]);
  });

  it("fits 40 columns, and so do tables of others", async () => {
    for (const args of [
      ["inspect", "net.onnx"],
      ["inspect", "magic.onnx"],
      ["inspect", "open.onnx"],
      ["bench", "net.onnx", "--seconds", "0.05", "--profile"],
      ["conv", "--shape", "1x8x9x9", "--weight", "8x8x3x3", "--seconds", "0.01"],
      ["compare", "net.onnx", "--per-layer"],
      ["presets"],
    ]) {
      const { out, code } = await lanewise(args, { cwd: here.root, env: { COLUMNS: "40" } });
      expect([args.join(" "), Math.max(...out.split("\n").map((line) => line.length)) <= 40]).toEqual([
        args.join(" "),
        true,
      ]);
      expect(code).toBe(args[1] === "magic.onnx" ? 3 : 0);
    }
  });

  const light = fileURLToPath(new URL("../../../shared/data/light/", import.meta.url));
  it.skipIf(!existsSync(light)).each([
    // Torchvision's documentation, ResNet-50 at 224 x 224: 4.09 G; its 25,557,032 numbers less those of batch normalisation, folded.
    ["light_resnet50", 4.09e9, 25.53e6],
    // Iandola et al. 2016 and torchvision, SqueezeNet 1.1: 1,235,496 numbers, 0.35 G.
    ["light_squeezenet", 0.35e9, 1_235_496],
  ])("%s as the literature has it", async (name, macs, parameters) => {
    const { plan } = JSON.parse((await run("inspect", `${light}${name}.onnx`, "--json")).out);
    expect(Math.abs(plan.macs / macs - 1)).toBeLessThan(0.005);
    expect(Math.abs(plan.parameters / parameters - 1)).toBeLessThan(0.001);
  });
});

describe("compare", () => {
  const a = here.write("a.npy", floatsNpy([2, 3], [1, 2, 3, 4, 5, 6]));
  const b = here.write("b.npy", floatsNpy([2, 3], [0, 0, 0, 0, 0, 0]));
  here.write("sum.onnx", file(SUM));

  it("answers within the tolerance, and beyond it where and by how much", async () => {
    here.write("right.npy", floatsNpy([2, 3], [2, 4, 6, 8, 10, 12]));
    here.write("wrong.npy", floatsNpy([2, 3], [2, 4, 6, 8, 10.5, 12]));
    const right = await run("compare", "sum.onnx", "--input", a, "--input", b, "--expect", "right.npy");
    expect(right.code).toBe(0);
    expect(right.out).toContain("1 output within 0.0001 of the largest value");
    const wrong = await run("compare", "sum.onnx", "--input", a, "--input", b, "--expect", "y=wrong.npy");
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain("y is the first that differs: first at [1, 1], got 10, expected 10.5");
    const json = JSON.parse(
      (await run("compare", "sum.onnx", "--input", a, "--input", b, "--expect", "wrong.npy", "--json")).out,
    );
    expect(json).toMatchObject({
      differs: true,
      rows: [{ name: "y", most: 0.5, largest: 12, beyond: 1, first: { index: [1, 1] } }],
    });
    const loose = await run(
      "compare",
      "sum.onnx",
      "--input",
      a,
      "--input",
      b,
      "--expect",
      "wrong.npy",
      "--tolerance",
      "0.05",
    );
    expect(loose.code).toBe(0);
    here.write("rank.npy", floatsNpy([6], [2, 4, 6, 8, 10, 12]));
    const rank = await run("compare", "sum.onnx", "--input", a, "--input", b, "--expect", "rank.npy");
    expect(rank.code).toBe(1);
    expect(rank.out).toContain("shape [2, 3], expected [6]");
  });

  it("the folders of ONNX tests", async () => {
    const pb = (numbers: readonly number[]) => tensorFile({ dims: [2, 3], data: Float32Array.from(numbers) });
    for (const [i, last] of [12, 13].entries()) {
      mkdirSync(here.at(`test/test_data_set_${i}`), { recursive: true });
      here.write(`test/test_data_set_${i}/input_0.pb`, pb([1, 2, 3, 4, 5, 6]));
      here.write(`test/test_data_set_${i}/input_1.pb`, pb([0, 0, 0, 0, 0, 0]));
      here.write(`test/test_data_set_${i}/output_0.pb`, pb([2, 4, 6, 8, 10, last]));
    }
    expect((await run("compare", "sum.onnx", "--folder", "test/test_data_set_0")).code).toBe(0);
    const both = await run("compare", "sum.onnx", "--folder", "test", "--json");
    expect(both.code).toBe(1);
    expect(JSON.parse(both.out).rows.map((row: { case: string; differs: boolean }) => [row.case, row.differs])).toEqual(
      [
        ["test_data_set_0", false],
        ["test_data_set_1", true],
      ],
    );
  });

  it("every layer beside the graph as it stands", async () => {
    const ran = await run("compare", "net.onnx", "--per-layer", "--json");
    expect(ran.code).toBe(0);
    const { rows } = JSON.parse(ran.out);
    // The merged network computes r, not a; its last layer is the output.
    expect(rows.map(({ name }: { name: string }) => name)).toEqual(["Relu-r", "Conv-c", "y"]);
    for (const row of rows) expect(row.cosine).toBeCloseTo(1, 6);
    expect((await run("compare", "net.onnx", "--per-layer", "--tolerance", "0")).code).toBeLessThanOrEqual(1);
  });

  it("two binaries, where the engine has both", async () => {
    const ran = await run("compare", "net.onnx", "--variant", "simd,simd");
    expect(ran.code).toBe(0);
    const rt = await createRuntime();
    const hasBoth = rt.variant === "relaxed";
    rt.dispose();
    const both = await run("compare", "net.onnx", "--variant", "simd,relaxed");
    // The tool's own process has no flag for it.
    if (both.code === 3) expect(both.err).toContain('"variant" expected an engine with relaxed SIMD');
    else expect({ code: both.code, hasBoth }).toEqual({ code: 0, hasBoth: true });
  });

  it("counts what is beyond: NaN is like NaN, and nothing else", () => {
    const nan = Number.NaN;
    expect(differenceOf([1, nan, 3], [1, nan, 3], [3], 0)).toMatchObject({ most: 0, beyond: 0, first: null });
    expect(differenceOf([1, nan, 3], [1, 2, 3], [3], 0.1)).toMatchObject({
      most: Infinity,
      beyond: 1,
      first: { index: [1] },
    });
    expect(differenceOf([5, 0], [4, 0], [1, 2], 0.2)).toMatchObject({
      most: 1,
      mean: 0.5,
      largest: 4,
      beyond: 1,
      first: { index: [0, 0], got: 5, expected: 4 },
    });
    expect(differenceOf([0, 2], [0, 1], [2], 1)).toMatchObject({ cosine: 1, beyond: 0 });
  });

  it("a file with more outputs is the same but for them", async () => {
    const bytes = withOutputs(file(NET), ["r", "a"]);
    const { outputs, operators, metadata } = await describeOnnx(bytes);
    expect(outputs.map(({ name }) => name)).toEqual(["y", "r", "a"]);
    expect(operators).toEqual((await describeOnnx(file(NET))).operators);
    expect(metadata).toEqual({ author: "nobody" });
  });
});

describe("bench and conv", () => {
  it("has no share of the limit of floats for what runs on bytes", async () => {
    const bytes = fileURLToPath(new URL("../conformance/models/conv-qdq.onnx", import.meta.url));
    const ran = await run("bench", bytes, "--seconds", "0.05");
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(
      /\n[\d.]+ GOP\/s, 100\.0 % of them on bytes: what a product of floats reaches is no limit of these\n/,
    );
    const json = JSON.parse((await run("bench", bytes, "--seconds", "0.05", "--json")).out);
    expect(json).toMatchObject({ inBytes: 1, share: null, limitGflops: null });
    // As many products of floats as of bytes, whose scale the run computes.
    const mixed = onnxFile({
      nodes: [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "bytes", "z"], ["sums"]),
        node("MatMul", ["x", "floats"], ["y"]),
      ],
      inputs: { x: [2, 4] },
      outputs: ["sums", "y"],
      constants: {
        bytes: typed("int8", [4, 3], Array(12).fill(1)),
        floats: typed("float32", [4, 3], Array(12).fill(1)),
      },
    });
    here.write("mixed.onnx", mixed);
    const half = await run("bench", "mixed.onnx", "--seconds", "0.05", "--json");
    expect(JSON.parse(half.out)).toMatchObject({ macs: 48, inBytes: 0.5, share: null });
  });

  it("says how fast, of what the machine can do; layer by layer; as a trace", async () => {
    const ran = await run("bench", "net.onnx", "--seconds", "0.2", "--top", "2", "--trace", "trace.json");
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(
      /^net\.onnx {3}\w+ {3}Node .*\nload [\d.]+ ms {3}first run [\d.]+ ms {3}\d+ runs\nmin [\d.]+ {3}P50 [\d.]+ {3}P90 [\d.]+ {3}P99 [\d.]+ ms {3}[\d.]+ a second\n[\d.]+ GFLOP\/s of [\d.]+ that/,
    );
    expect(ran.out).toMatch(/… and \d more \(--top\)\n$/);
    expect(JSON.parse(readFileSync(here.at("trace.json"), "utf8")).traceEvents[0]).toMatchObject({
      ph: "X",
      cat: "conv2d",
    });
    const { min, p50, p90, p99, runs, macs, share, gflops, limitGflops } = JSON.parse(
      (await run("bench", "net.onnx", "--seconds", "0.1", "--json")).out,
    );
    expect(min <= p50 && p50 <= p90 && p90 <= p99).toBe(true);
    expect(runs).toBeGreaterThan(0);
    expect(gflops).toBeCloseTo((2 * macs) / min / 1e6, 6);
    expect(share).toBeCloseTo(gflops / limitGflops, 9);
  });

  it("every algorithm on one layer, none wrong, and what auto takes", async () => {
    const ran = await run(
      "conv",
      "--shape",
      "1x8x20x20",
      "--weight",
      "8x8x3x3",
      "--padding",
      "1",
      "--seconds",
      "0.01",
      "--json",
    );
    const { algorithms, auto, macs, output } = JSON.parse(ran.out);
    expect([macs, output]).toEqual([8 * 8 * 9 * 400, [1, 8, 20, 20]]);
    expect(algorithms.map(({ algorithm }: { algorithm: string }) => algorithm)).toEqual([
      "implicit-gemm",
      "direct",
      "im2col",
      "winograd23",
      "winograd43",
      "winograd63",
      "fft",
      "depthwise",
    ]);
    for (const { algorithm, error, refused, products } of algorithms) {
      if (algorithm === "depthwise") expect(refused).toContain("groups");
      else expect(error).toBeLessThan(1e-4);
      if (algorithm === "winograd43") expect(products).toBe(36 / 144); // 6 x 6 for 4 x 4 outputs of 3 x 3
    }
    expect(auto.reason).not.toBe("");
    // Strided, dilated, padded on one side, in groups: beside the seven loops, too.
    const odd = await run(
      "conv",
      "--shape",
      "2x4x9x11",
      "--weight",
      "6x2x3x2",
      "--padding",
      "0x1x2x0",
      "--stride",
      "2x1",
      "--dilation",
      "1x2",
      "--groups",
      "2",
      "--seconds",
      "0.01",
      "--json",
    );
    const found = JSON.parse(odd.out).algorithms.filter(({ error }: { error?: number }) => error !== undefined);
    expect(found.length).toBeGreaterThan(1);
    for (const { error } of found) expect(error).toBeLessThan(1e-4);
    const same = await run("conv", "--shape", "1x2x7x7", "--weight", "2x2x5x5", "--seconds", "0.01");
    expect(same.out).toMatch(/^1x2x7x7 \* 2x2x5x5 -> 1x2x7x7 /);
    expect(same.out).toMatch(/\n\* auto takes [\w-]+: /);
  });
});

describe("manners", () => {
  it("help is no mistake, and colours may be said before the command", async () => {
    const [asked, command, none] = [await run("help"), await run("help", "bench"), await run()];
    expect([asked.code, command.code, none.code]).toEqual([0, 0, 2]);
    expect(command.out).toContain("$ lanewise bench model.onnx");
    expect(none).toMatchObject({ out: "", err: expect.stringContaining("Usage: lanewise") });
    expect(await run("--no-color", "labels", "coco")).toMatchObject({ code: 0, err: "" });
  });

  it("help has three examples a command, and says what exit codes mean", async () => {
    const whole = await run("--help");
    expect(whole).toMatchObject({ code: 0, err: "" });
    const names = [...whole.out.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name as string);
    expect(names).toEqual(["inspect", "run", "compare", "bench", "conv", "labels", "presets", "completion"]);
    for (const name of names) expect([...(await run("help", name)).out.matchAll(/^ {2}\$ lanewise /gm)].length).toBe(3);
    expect(await run()).toMatchObject({ code: 2, out: "" });
  });

  it("--version says which binary and why", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect((await run("--version")).out).toMatch(
      new RegExp(`^lanewise ${version}\\n(simd|relaxed): .+\\nNode ${process.versions.node}, V8 .+\\n$`),
    );
  });

  it("labels and presets", async () => {
    const names = (await run("labels", "imagenet")).out.trim().split("\n");
    expect([names.length, names[0], names[281], names[999]]).toEqual([1000, "tench", "tabby", "toilet tissue"]);
    expect(JSON.parse((await run("labels", "coco", "--json")).out).length).toBe(80);
    expect((await run("presets", "imagenet")).out).toMatch(
      /^imagenet +scale=0\.0039216 mean=\[0\.485,0\.456,0\.406\] std=.* fit=crop resize=256\n$/,
    );
    const all = JSON.parse((await run("presets", "--json")).out);
    expect([Object.keys(all.presets).length, all.heads.yolo8]).toEqual([15, expect.stringContaining("YOLOv8")]);
  });

  it.each(["bash", "zsh", "fish"])("completion in %s", async (shell) => {
    const { code, out } = await run("completion", shell);
    expect(code).toBe(0);
    for (const word of ["inspect", shell === "fish" ? "-l markdown" : "--markdown", "onnxruntime-web", "imagenet"])
      expect(out).toContain(word);
    const script = here.write(`completion.${shell}`, out);
    if (spawnSync(shell, ["-c", "true"]).error) return console.log(`SKIP: no ${shell}`);
    execFileSync(shell, ["-n", script]);
    if (shell !== "bash") return;
    const complete = (...words: string[]) =>
      execFileSync(
        "bash",
        [
          "-c",
          `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lanewise; printf '%s\\n' "\${COMPREPLY[@]}"`,
          "bash",
          script,
          "lanewise",
          ...words,
        ],
        { encoding: "utf8", cwd: here.root },
      )
        .trim()
        .split("\n");
    expect(complete("in")).toEqual(["inspect"]);
    expect(complete("inspect", "--mark")).toEqual(["--markdown"]);
    expect(complete("inspect", "--sort", "m")).toEqual(["macs"]);
    expect(complete("inspect", "net")).toEqual(["net.onnx"]);
    expect(complete("labels", "co")).toContain("coco");
  });

  it("colours where somebody asks for them only", async () => {
    const start = "\u001b[";
    expect((await run("inspect", "net.onnx")).out).not.toContain(start);
    expect((await run("inspect", "net.onnx", "--color", "always")).out).toContain(start);
    expect(
      (await lanewise(["inspect", "net.onnx", "--color", "always"], { cwd: here.root, env: { NO_COLOR: "1" } })).out,
    ).toContain(start);
    expect((await run("inspect", "net.onnx", "--no-color")).out).not.toContain(start);
  });

  it("ends when nobody reads on, and when the disk is full", async () => {
    const chain = Array.from({ length: 400 }, (_, i) =>
      node("Sin", [i ? `v${i - 1}` : "x"], [i === 399 ? "y" : `v${i}`]),
    );
    here.write("long.onnx", onnxFile({ nodes: chain, inputs: { x: [4] }, outputs: ["y"] }));
    const shell = (line: string) =>
      spawnSync("bash", ["-c", line, "bash", process.execPath, CLI], { cwd: here.root, encoding: "utf8" });
    const head = shell('"$1" "$2" inspect long.onnx --json | head -n 1; echo $PIPESTATUS'); // of the first
    expect([head.stdout, head.stderr]).toEqual(["{\n0\n", ""]);
    const full = shell('"$1" "$2" labels imagenet > /dev/full; echo $?');
    expect(full.stdout).toBe("4\n");
    expect(full.stderr).toMatch(/^lanewise: .*ENOSPC\n$/);
    here.write("means.onnx", file(MEANS));
    here.write(
      "photo.jpg",
      jpegOf(8, 8, () => [200, 100, 50]),
    );
    const drawing = shell('"$1" "$2" inspect net.onnx --svg /dev/full > out.txt; echo $?');
    expect(drawing.stdout).toBe("4\n");
    expect(drawing.stderr).toContain('"/dev/full" expected a file that may be written, got a full disk');
    const closed = shell('"$1" "$2" run means.onnx --image - --preset unit <&-; echo $?');
    expect(closed.stdout).toBe("4\n");
    expect(closed.stderr).toMatch(/^lanewise: "standard input" expected [^\n]*\n$/);
  });

  it("stops at Ctrl-C", async () => {
    const ran = await lanewise(["bench", "net.onnx", "--seconds", "500"], { cwd: here.root, interrupt: 500 });
    expect(ran).toMatchObject({ code: 130, out: "", err: "" });
  });

  it("says where an error comes from with --debug only", async () => {
    expect((await run("inspect", "none.onnx", "--debug")).err).toMatch(/\n +at /);
    expect((await run("inspect", "none.onnx")).err).not.toMatch(/\n +at /);
  });

  it("opens no connection", () => {
    const guard =
      "const net = await import('node:net'); net.Socket.prototype.connect = () => process.exit(99); globalThis.fetch = () => process.exit(99);";
    const preload = `data:text/javascript,${encodeURIComponent(guard)}`;
    const ran = spawnSync(
      process.execPath,
      ["--import", preload, CLI, "run", "means.onnx", "--image", "photo.jpg", "--preset", "unit", "--top", "1"],
      { cwd: here.root, encoding: "utf8" },
    );
    expect([ran.status, ran.stdout.slice(0, 7)]).toEqual([0, "class 0"]);
  });
});

describe("names and tables", () => {
  it("are Windows', too", () => {
    expect(pairOf("image=C:\\my data\\x=1.npy")).toEqual(["image", "C:\\my data\\x=1.npy"]);
    expect(pairOf("C:\\x.npy")).toBeUndefined();
    expect(outputIn("D:\\out", "C:\\my photos\\a.b.jpg", ".png", win32)).toBe("D:\\out\\a.b.png");
    expect(besideOf("C:\\models\\net.onnx", "parts/weights.bin", win32)).toBe("C:\\models\\parts\\weights.bin");
    expect([isFolderName("out\\"), isFolderName("out/"), isFolderName("out")]).toEqual([true, true, false]);
    expect(inOrder(["10.jpg", "9.jpg", "1.jpg"])).toEqual(["1.jpg", "9.jpg", "10.jpg"]);
  });

  it("give way where there is no room", () => {
    const columns = [
      { head: "layer", least: 6 },
      { head: "op", drop: 1 },
      { head: "n", align: "right" },
    ] as const;
    const rows = [
      ["a long name of a layer", "conv2d", "12"],
      ["b", "relu", "3"],
    ];
    expect(tableLines(columns, rows, 80)).toEqual([
      "layer                   op       n",
      "a long name of a layer  conv2d  12",
      "b                       relu     3",
    ]);
    expect(tableLines(columns, rows, 20)).toEqual([
      "layer     op       n",
      "a lo…yer  conv2d  12",
      "b         relu     3",
    ]);
    expect(tableLines(columns, rows, 12)).toEqual(["layer      n", "a lo…yer  12", "b          3"]);
    expect([shortened("abcdef", 4), bar(0.5, 4), bar(0.0001, 4), bar(0, 4), bar(1, 2)]).toEqual([
      "ab…f",
      "██",
      "▏",
      "",
      "██",
    ]);
  });
});
