// How fast a network runs here, beside what this machine can do and, where it is installed, beside another runtime.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Runtime } from "../../index.js";
import type { OnnxInput, OnnxModel } from "../../onnx/index.js";
import { FileError, FormatError, UsageError } from "../errors.js";
import { writeWhole } from "../files.js";
import type { Io } from "../io.js";
import {
  closedShapes,
  type Described,
  describeFile,
  loadFile,
  type ModelFlags,
  madeUp,
  openRuntime,
  shapeExample,
  shapesOf,
} from "../model.js";
import { bar, msText, percentText, tableLines, wrapped } from "../text/table.js";
import { engineText } from "./version.js";

export interface BenchFlags extends ModelFlags {
  readonly seconds?: number;
  readonly profile?: boolean;
  readonly trace?: string;
  readonly sort?: "file" | "time";
  readonly top?: number;
  readonly vs?: string;
  readonly json?: boolean;
}

const SECONDS = 3;
const WARM_UP = 0.2;

/** What many runs took, in ms. */
interface Times {
  readonly runs: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Nearest rank, of sorted times. */
const rank = (sorted: readonly number[], share: number) =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;

function timesOf(all: readonly number[]): Times {
  const sorted = [...all].sort((a, b) => a - b);
  return {
    runs: sorted.length,
    min: sorted[0] as number,
    p50: rank(sorted, 0.5),
    p90: rank(sorted, 0.9),
    p99: rank(sorted, 0.99),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

export async function bench(io: Io, file: string, flags: BenchFlags): Promise<number> {
  const described = await describeFile(file);
  const { bytes, description } = described;
  const { shapes, note, still } = closedShapes(description, shapesOf(flags.shape, description));
  if (still.length > 0)
    throw new UsageError(
      `"--shape" expected shapes of ${still.map(({ name }) => name).join(", ")}, which the file leaves open (${shapeExample(still)}), got none`,
    );
  const peer = flags.vs === undefined ? undefined : await openPeer(flags.vs, described);
  const rt = await openRuntime(flags);
  try {
    const { model, loadMs } = await loadFile(io, rt, file, bytes, flags, { shapes });
    const feeds = madeUp(model) as Record<string, OnnxInput>;
    const start = performance.now();
    model.run(feeds);
    const firstMs = performance.now() - start;
    const { times, peerTimes } = await measured(
      io,
      flags.seconds ?? SECONDS,
      () => model.run(feeds),
      peer && (() => peer.run(feeds)),
    );
    const { macs } = model.plan;
    const inBytes = byteShare(model);
    const limit = inBytes > 0 ? undefined : limitOf(rt);
    const gflops = (2 * macs) / times.min / 1e6;
    const result = {
      file: path.basename(file),
      variant: rt.variant,
      engine: engineText(),
      loadMs,
      firstMs,
      ...times,
      perSecond: 1e3 / times.p50,
      macs,
      gflops,
      inBytes,
      limitGflops: limit ?? null,
      share: limit === undefined ? null : gflops / limit,
      ...(peerTimes && {
        peer: { name: flags.vs, version: peer?.version, ...peerTimes, ratio: peerTimes.min / times.min },
      }),
      notes: note ? [note] : [],
    };
    const isProfiled = flags.profile || flags.sort !== undefined || flags.top !== undefined;
    const profile = isProfiled || flags.trace ? model.profile(feeds, { runs: 11 }) : undefined;
    if (flags.trace && profile) {
      writeWhole(flags.trace, `${JSON.stringify(profile.toTrace())}\n`);
      io.note(`${flags.trace} written\n`);
    }
    if (flags.json) io.out(`${JSON.stringify({ ...result, ...(isProfiled && { layers: profile?.rows }) })}\n`);
    else
      io.out(
        textOf(result, io.columns) +
          (isProfiled
            ? profileText(io, profile as NonNullable<typeof profile>, flags, inBytes > 0 ? "GOP/s" : "GFLOP/s")
            : ""),
      );
    return 0;
  } finally {
    await peer?.close();
    rt.dispose();
  }
}

/** Which share of the multiply-accumulates is done on bytes: their limit is another, of 8-bit products. */
function byteShare(model: OnnxModel): number {
  const { rows, totals } = model.summary();
  const inBytes = rows.filter(({ inputDtype }) => inputDtype === "uint8").reduce((sum, { macs }) => sum + macs, 0);
  return totals.macs > 0 ? inBytes / totals.macs : 0;
}

/** GFLOP/s of a product whose operands lie in the nearest caches: what the tile of every convolution can do at most here. */
function limitOf(rt: Runtime): number {
  const [rows, depth, columns] = [192, 256, 192];
  const a = rt.tensor(new Float32Array(rows * depth).fill(0.5), [rows, depth]);
  const b = rt.tensor(new Float32Array(columns * depth).fill(0.5), [columns, depth]);
  const plan = rt.plan.linear({ input: [rows, depth], weight: b });
  const y = rt.empty([rows, columns]);
  let best = Infinity;
  const end = performance.now() + 1e3 * WARM_UP;
  while (performance.now() < end) {
    const start = performance.now();
    plan.run(a, y);
    best = Math.min(best, performance.now() - start);
  }
  plan.dispose();
  for (const tensor of [a, b, y]) tensor.dispose();
  return (2 * rows * depth * columns) / best / 1e6;
}

/** In turns with the peer, where there is one; after a warm-up of both. */
async function measured(io: Io, seconds: number, run: () => void, peer?: () => Promise<unknown>) {
  const warm = performance.now() + 1e3 * Math.min(WARM_UP, seconds);
  do {
    run();
    await peer?.();
  } while (performance.now() < warm);
  const progress = io.progress("running");
  const [own, others]: [number[], number[]] = [[], []];
  const start = performance.now();
  let rested = start;
  for (;;) {
    const before = performance.now();
    run();
    const now = performance.now();
    own.push(now - before);
    if (peer) {
      const from = performance.now();
      await peer();
      others.push(performance.now() - from);
    }
    if (now - rested > 100) {
      await turn(); // for Ctrl-C
      rested = now;
      progress.at((now - start) / seconds / 1e3);
    }
    if (now - start > 1e3 * seconds) break;
  }
  progress.end();
  return { times: timesOf(own), ...(peer && { peerTimes: timesOf(others) }) };
}

/** Arrays of a peer's tensors. */
const ELEMENTS: Readonly<Record<string, unknown>> = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

interface Peer {
  readonly version: string;
  readonly run: (feeds: Record<string, OnnxInput>) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** Another runtime, from the node_modules of where one is: never a dependency of ours. One thread, as ours. */
async function openPeer(peer: string, { bytes, description }: Described): Promise<Peer> {
  const from = createRequire(pathToFileURL(path.join(process.cwd(), "package.json")));
  let entry: string;
  try {
    entry = from.resolve(peer);
  } catch (cause) {
    throw new FileError(`"--vs" expected ${peer} in the node_modules of this folder (npm install ${peer}), got none`, {
      cause,
    });
  }
  const loaded = await import(pathToFileURL(entry).href);
  const ort = loaded.InferenceSession ? loaded : loaded.default;
  if (ort.env?.wasm) ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  }).catch((cause: Error) => {
    throw new FormatError(`"--vs" expected a network that ${peer} runs, got: ${cause.message}`, { cause });
  });
  const types = new Map(description.inputs.map(({ name, type }) => [name, type]));
  let tensors: Record<string, unknown> | undefined;
  return {
    version: String(ort.env?.versions?.common ?? ""),
    run: (feeds) => {
      tensors ??= Object.fromEntries(
        Object.entries(feeds).map(([name, value]) => {
          const { data, shape } = value as { data: ArrayLike<number>; shape: readonly number[] };
          const type = types.get(name) ?? "float32";
          const Elements = ELEMENTS[type];
          if (!Elements)
            throw new FormatError(`"--vs" expected inputs that ${peer} takes as they are, got ${type} for ${name}`);
          return [name, new ort.Tensor(type, new (Elements as Float32ArrayConstructor)(data), shape)];
        }),
      );
      return session.run(tensors);
    },
    close: () => session.release?.(),
  };
}

function textOf(
  result: Times & {
    file: string;
    variant: string;
    engine: string;
    loadMs: number;
    firstMs: number;
    perSecond: number;
    macs: number;
    inBytes: number;
    gflops: number;
    limitGflops: number | null;
    share: number | null;
    peer?: object;
    notes: readonly string[];
  },
  columns: number,
): string {
  const { file, variant, engine, loadMs, firstMs, runs, min, p50, p90, p99, perSecond, notes } = result;
  const { gflops, limitGflops, share, inBytes } = result;
  const lines = [
    `${file}   ${variant}   ${engine}`,
    `load ${msText(loadMs)} ms   first run ${msText(firstMs)} ms   ${runs} runs`,
    `min ${msText(min)}   P50 ${msText(p50)}   P90 ${msText(p90)}   P99 ${msText(p99)} ms   ${perSecond.toFixed(1)} a second`,
    limitGflops === null || share === null
      ? `${gflops.toFixed(1)} GOP/s, ${percentText(inBytes)} of them on bytes: what a product of floats reaches is no limit of these`
      : `${gflops.toFixed(1)} GFLOP/s of ${limitGflops.toFixed(1)} that a product in the caches reaches here: ${percentText(share)}`,
  ];
  const peer = result.peer as ({ name: string; version: string; ratio: number } & Times) | undefined;
  if (peer)
    lines.push(
      `${peer.name} ${peer.version}: min ${msText(peer.min)}   P50 ${msText(peer.p50)} ms: ${peer.ratio.toFixed(2)} times lanewise's`,
    );
  const all = [...lines, ...notes.map((note) => `note: ${note}`)];
  return `${all.flatMap((line) => wrapped(line, columns)).join("\n")}\n`;
}

function profileText(
  io: Io,
  { rows, totals }: ReturnType<OnnxModel["profile"]>,
  { sort = "file", top }: BenchFlags,
  unit: string,
): string {
  const list = sort === "time" ? [...rows].sort((a, b) => b.microseconds - a.microseconds) : rows;
  const shown = list.slice(0, top);
  const most = Math.max(...rows.map(({ microseconds }) => microseconds));
  const lines = tableLines(
    [
      { head: "layer", least: 8 },
      { head: "op", drop: 2 },
      { head: "algorithm", drop: 3 },
      { head: "µs", align: "right" },
      { head: "share", align: "right" },
      { head: "", drop: 1 },
      { head: unit, align: "right", drop: 4 },
    ],
    shown.map(({ layer, op, algorithm, reason, microseconds, gflops }) => [
      layer || "(memory format)",
      op,
      reason === "JavaScript" ? `${algorithm} (JavaScript)` : algorithm,
      microseconds.toFixed(1),
      percentText(microseconds / totals.microseconds),
      bar(microseconds / most, 12),
      gflops.toFixed(1),
    ]),
    io.columns,
  );
  const more = list.length - shown.length;
  return `\n${io.paint("dim", lines[0] ?? "")}\n${lines.slice(1).join("\n")}\n${more > 0 ? `… and ${more} more (--top)\n` : ""}`;
}
