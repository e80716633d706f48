// npm run test:runners: test runners and what starts TypeScript, each a little project with the packed tarball: a convolution with the bits
// that Node computes, an ONNX file, values of other realms (jsdom's, a vm context's), two threads or a reason. What each needs beside its
// defaults stands in `line`, and in docs/runtimes.md. Flags: test/places.mjs.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { USE } from "../bundlers/cases.mjs";
import { lastJson, project, root, run, runPlaces, Skip, versionOf } from "../places.mjs";

/** Floats of an .npy file of our own conformance set. */
function floatsOf(path) {
  const bytes = readFileSync(join(root, "test/conformance", path));
  return [...new Float32Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer)];
}
const FIXTURES = {
  model: readFileSync(join(root, "test/conformance/models/residual-float.onnx")).toString("base64"),
  input: floatsOf("refs/residual-float/seed/input_0.npy"),
  output: floatsOf("refs/residual-float/seed/output_0.npy"),
};

/** What every runner runs, and writes to facts.json. */
const BODY = `import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { ask } from "./use.js";

const near = (got, wanted) => {
  if (got.length !== wanted.length) throw new Error(\`expected \${wanted.length} values, got \${got.length}\`);
  wanted.forEach((value, i) => {
    if (!(Math.abs(got[i] - value) < 1e-4)) throw new Error(\`value \${i}: expected \${value}, got \${got[i]}\`);
  });
};

export async function body() {
  const { model, input, output } = JSON.parse(readFileSync("fixtures.json", "utf8"));
  const auto = await ask({ starts: 11 });
  const simd = await ask({ variant: "simd" });
  const { threads = 2 } = JSON.parse(readFileSync("package.json", "utf8"));
  const two = await ask({ variant: "simd", threads });
  const rt = await createRuntime();
  const bytes = Buffer.from(model, "base64"); // of Node's realm
  const own = new Uint8Array(bytes); // of the runner's
  const other = (type) => runInNewContext("(values) => new " + type + "(values)");
  const foreign = other("Uint8Array")([...bytes]);
  let networks = 0;
  for (const file of [bytes, own, own.buffer, new Blob([own]), foreign, foreign.buffer]) {
    const network = await loadOnnx(rt, file);
    const [{ name, shape }] = network.inputs;
    for (const data of [Float32Array.from(input), other("Float32Array")(input)])
      near(network.run({ [name]: { data, shape } })[network.outputs[0].name].toArray(), output);
    network.dispose();
    networks++;
  }
  const x = rt.tensor(other("Float32Array")([1, 2, 3]), [3]);
  near(x.toArray(), [1, 2, 3]);
  rt.dispose();
  const { running, asked, reason = "" } = two.report.threads;
  writeFileSync("facts.json", JSON.stringify({
    variant: auto.report.variant, reason: auto.report.reason, ms: auto.ms, simd: simd.hash, two: two.hash, running, asked, why: reason, networks,
  }));
}
`;
const TEST = 'import { body } from "./body.js";\ntest("a convolution and a network", body, 600_000);\n';
const TEST_ALONE = 'import { body } from "./body.js";\ntest("a convolution and a network", () => body());\n';
const MAIN = `import { createRuntime, type Tensor } from "lanewise";
import { body } from "./body.js";
const rt = await createRuntime({ maxBytes: 2 ** 20 });
const x: Tensor = rt.tensor(Float32Array.of(1, 2), [2]);
const [first]: Float32Array = x.toArray();
if (first !== 1) throw new Error("a tensor");
rt.dispose();
await body();
`;
const SHARED = { "use.js": USE, "body.js": BODY, "fixtures.json": JSON.stringify(FIXTURES) };
const TYPES = { "body.d.ts": "export declare function body(): Promise<void>;\n", "main.ts": MAIN };
const tsconfig = (more) =>
  JSON.stringify({ compilerOptions: { target: "es2022", strict: true, types: ["node"], ...more } });

const VM_MODULES = { NODE_OPTIONS: "--experimental-vm-modules --no-warnings" };
const JEST = ["jest@30", "jest-environment-jsdom@30"];
const jest = (name, more) => ({
  name,
  packages: JEST,
  files: { ...SHARED, "first.test.js": TEST },
  manifest: { jest: { transform: {} } },
  command: ["jest", "first.test.js"],
  env: VM_MODULES,
  ...more,
});

const vitest = (environment, pool, ci) => ({
  name: `vitest, ${environment}, ${pool}`,
  packages: ["vitest@4", "jsdom", "happy-dom"],
  files: { ...SHARED, "first.test.js": TEST },
  command: ["vitest", "run", "first.test.js", "--globals", `--environment=${environment}`, `--pool=${pool}`],
  ci,
});

const CASES = [
  jest("Jest 30, --experimental-vm-modules", { ci: true }),
  jest("Jest 30, jsdom", { command: ["jest", "--env=jsdom", "first.test.js"], ci: true }),
  jest("Jest 30 by Babel, transformIgnorePatterns", {
    packages: [...JEST, "@babel/core", "@babel/preset-env"],
    folder: "jest babel",
    files: {
      ...SHARED,
      "first.test.js": TEST,
      "babel.config.json": JSON.stringify({ presets: [["@babel/preset-env", { targets: { node: "current" } }]] }),
    },
    // Babel leaves import.meta as it is, which the chunk of threads has.
    manifest: { type: "commonjs", threads: 1, jest: { transformIgnorePatterns: ["/node_modules/(?!lanewise/)"] } },
    env: {},
  }),
  // What a user meets who has not read the docs.
  jest("Jest 30 as it comes, CommonJS", {
    files: { "as-it-comes.test.cjs": 'test("loads", () => require("lanewise"));\n' },
    manifest: { jest: {} },
    command: ["jest", "as-it-comes.test.cjs"],
    env: {},
    fails: /Must use import to load ES Module|Unexpected token 'export'|Cannot use import statement/,
    ci: true,
  }),
  ...["node", "jsdom", "happy-dom"].flatMap((environment) =>
    ["forks", "threads", "vmThreads"].map((pool) =>
      vitest(environment, pool, environment === "jsdom" && pool === "forks"),
    ),
  ),
  // Those that runtimes bring.
  {
    name: "node --test",
    packages: [],
    folder: "node test",
    files: { ...SHARED, "first.test.js": `import test from "node:test";\n${TEST_ALONE}` },
    command: [process.execPath, "--test", "first.test.js"],
    ci: true,
  },
  {
    name: "bun test",
    packages: ["bun"],
    files: { ...SHARED, "first.test.js": TEST },
    command: ["../@oven/bun-linux-x64/bin/bun", "test", "first.test.js"],
  },
  {
    name: "deno test",
    packages: ["deno"],
    files: { ...SHARED, "first.test.js": `const { test } = Deno;\n${TEST_ALONE}` },
    command: [
      "../@deno/linux-x64-glibc/deno",
      "test",
      "--no-prompt",
      "--no-check",
      "--allow-read=.",
      "--allow-write=.",
      "first.test.js",
    ],
  },
  {
    name: "tsx",
    packages: ["tsx"],
    files: { ...SHARED, ...TYPES },
    command: ["tsx", "main.ts"],
    ci: true,
  },
  {
    name: "ts-node, --loader ts-node/esm",
    packages: ["ts-node", "typescript@5.9", "@types/node@20"],
    files: { ...SHARED, ...TYPES, "tsconfig.json": tsconfig({ module: "nodenext" }) },
    command: [process.execPath, "--no-warnings", "--loader", "ts-node/esm", "main.ts"],
  },
  {
    name: "ts-node, CommonJS",
    packages: ["ts-node", "typescript@5.9", "@types/node@20"],
    folder: "ts-node commonjs",
    files: {
      ...SHARED,
      "body.d.mts": TYPES["body.d.ts"],
      "body.mjs": BODY.replace("./use.js", "./use.mjs"),
      "use.mjs": USE,
      "main.ts": `import { body } from "./body.mjs";\nbody();\n`,
      // The declarations are an ES module's, which require() takes from Node 20.19 on.
      "tsconfig.json": tsconfig({ module: "nodenext" }),
    },
    manifest: { type: "commonjs" },
    command: [process.execPath, "--no-warnings", "-r", "ts-node/register", "main.ts"],
  },
];

let golden;
/** The hash that Node computes. */
function simdBits() {
  golden ??= lastJson(
    run(process.execPath, ["--input-type=module", "-e", GOLDEN], { cwd: project("in Node", { files: SHARED }) }),
  ).simd;
  return golden;
}
const GOLDEN = `import { ask } from "./use.js";
console.log(JSON.stringify({ simd: (await ask({ variant: "simd" })).hash }));`;

function check({
  packages,
  folder: named = packages[0],
  files,
  manifest = {},
  command: [program, ...args],
  env = {},
  fails,
}) {
  const folder = project(named, { packages, files, manifest });
  const version = packages[0] ? versionOf(folder, packages[0].replace(/(?<=.)@.*/, "")) : process.versions.node;
  const facts = join(folder, "facts.json");
  rmSync(facts, { force: true });
  const binary = program.startsWith("/") ? program : join(folder, "node_modules/.bin", program);
  if (!existsSync(binary)) throw new Skip(`no ${packages[0]} for this platform`);
  const started = () => run(binary, args, { cwd: folder, env: { ...process.env, CI: "1", ...env } });
  if (fails) {
    try {
      started();
    } catch ({ stderr, stdout }) {
      const said = `${stderr}${stdout}`;
      const line = said.split("\n").find((one) => fails.test(one));
      if (line) return { problems: [], version, note: `refused, as the docs say: ${line.trim()}` };
      return { problems: [`expected ${fails}, got ${said.slice(0, 400)}`], version };
    }
    return { problems: ["it runs: the docs say that it does not"], version };
  }
  started();
  if (!existsSync(facts)) return { problems: ["it ran nothing"], version };
  const { variant, reason, ms, simd, two, running, asked, why, networks } = JSON.parse(readFileSync(facts, "utf8"));
  const bits = simd === simdBits() && two === simdBits();
  const problems = bits ? [] : ["simd has other bits than in Node"];
  if (running !== asked && !why) problems.push("expected two threads or a reason");
  return {
    problems,
    version,
    variant,
    reason,
    threads: running,
    bits,
    ms,
    note: `${networks} files${why ? `, ${why}` : ""}`,
  };
}

await runPlaces(
  "runners",
  CASES.map((one) => ({ name: one.name, ci: one.ci, check: async () => check(one) })),
);
