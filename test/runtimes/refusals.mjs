// Places that do not do, as they are: each is told in one sentence of an UnsupportedError what it lacks, and the cure.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerdByDefault } from "./edge.mjs";
import { bare } from "./hosts.mjs";
import { project, script } from "./project.mjs";

/** A module that answers how createRuntime() fails, or its threads. `before`: what options need. */
const asking = (options, before = "") => `import { createRuntime } from "lanewise";
${before}export const golden = () =>
  createRuntime(${options}).then(
    (rt) => {
      const { asked, running, reason } = rt.report().threads;
      return { name: "Report", message: \`\${running} of \${asked}: \${reason}\` };
    },
    ({ name, message }) => ({ name, message }),
  );
`;
const file = (name, text) => {
  writeFileSync(join(project, name), text);
  return name;
};
/** None of them needs anything until it is called. */
const ENTRIES = ["onnx", "vision", "inline", "inline/onnx", "quantize", "datasets"]
  .map((entry) => `import "lanewise/${entry}";\n`)
  .join("");
const printing = "console.log(JSON.stringify(await golden()));\n";
const node = (...flags) => {
  const name = file("refused.mjs", asking("", ENTRIES) + printing);
  return script(process.execPath, [...flags, "--no-warnings", name]);
};
/** Of threads alone, since a binary is there: import() is forbidden, as in worklets. */
function threadsOf(threads) {
  const wasm = [...readFileSync(join(project, "node_modules/lanewise/dist/wasm/simd.wasm"))];
  file("bytes.mjs", `export const bytes = Uint8Array.from(${JSON.stringify(wasm)});`);
  const asked = asking(`{ wasm: bytes, threads: ${threads} }`, 'import { bytes } from "./bytes.mjs";\n');
  return bare(file("threads.mjs", asked), "--no-import");
}

const PLACES = [
  {
    name: "refused: node --jitless",
    run: () => node("--jitless"),
    sentence: /^"engine" expected WebAssembly, got none, as with --jitless or in lockdown mode$/,
  },
  {
    name: "refused: a processor without SSE 4.1",
    run: () => node("--no-enable-sse4-1", "--no-enable-ssse3"),
    sentence: /^"engine" expected WebAssembly SIMD, got an engine without it$/,
  },
  {
    name: "refused: import() forbidden",
    run: () => bare(file("refused-import.mjs", asking("")), "--no-import"),
    sentence: /^"wasm" expected a binary this engine compiles, got its own: import\(\) .*; take lanewise\/inline$/,
  },
  {
    name: "one thread: import() forbidden",
    run: () => threadsOf("4"),
    type: "Report",
    sentence: /^1 of 4: import\(\) is disallowed here$/,
  },
  {
    name: "refused: import() forbidden, two threads at least",
    run: () => threadsOf("{ min: 2 }"),
    sentence: /^"threads" expected at least 2, got 1: import\(\) is disallowed here$/,
  },
  {
    name: "refused: workerd without its condition, which compiles no bytes",
    run: () => workerdByDefault(file("refused-workerd.mjs", asking(""))),
    sentence:
      /^"wasm" expected a binary this engine compiles, got its own: .*; allow 'wasm-unsafe-eval' or give a WebAssembly\.Module$/,
  },
];

export const REFUSALS = PLACES.map(({ name, run, sentence, type: wanted = "UnsupportedError" }) => ({
  name,
  ci: true,
  async check() {
    const { name: type, message } = await run();
    const isRight = type === wanted && sentence.test(message);
    return isRight ? { problems: [], note: message } : { problems: [`expected ${sentence}, got ${type}: ${message}`] };
  },
}));
