// Places that do not do, as they are: each is told in one sentence of an UnsupportedError what it lacks, and the cure.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerdByDefault } from "./edge.mjs";
import { bare } from "./hosts.mjs";
import { project, script } from "./project.mjs";

/** A module that answers how createRuntime() fails. `before`: what options need. */
const asking = (options, before = "") => `import { createRuntime } from "lanewise";
${before}export const golden = () =>
  createRuntime(${options}).then(
    () => ({ message: "no error" }),
    ({ name, message }) => ({ name, message }),
  );
`;
const file = (name, text) => {
  writeFileSync(join(project, name), text);
  return name;
};
const printing = "console.log(JSON.stringify(await golden()));\n";
const node = (...flags) => {
  const name = file("refused.mjs", asking("") + printing);
  return script(process.execPath, [...flags, "--no-warnings", name]);
};
/** A binary that is there, so that threads alone are to be imported. */
const THREADS = asking("{ wasm: bytes, threads: 2 }", 'import { bytes } from "./bytes.mjs";\n');

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
    name: "refused: threads where import() is forbidden",
    run() {
      const wasm = join(project, "node_modules/lanewise/dist/wasm/simd.wasm");
      script(process.execPath, [
        "-e",
        `const bytes = require("fs").readFileSync(${JSON.stringify(wasm)});
require("fs").writeFileSync("bytes.mjs", "export const bytes = Uint8Array.from(" + JSON.stringify([...bytes]) + ");");
console.log("{}");`,
      ]);
      return bare(file("refused-threads.mjs", THREADS), "--no-import");
    },
    sentence: /^"threads" expected a binary this engine compiles, got its own: import\(\) .*; take lanewise\/inline$/,
  },
  {
    name: "refused: workerd without its condition, which compiles no bytes",
    run: () => workerdByDefault(file("refused-workerd.mjs", asking(""))),
    sentence:
      /^"wasm" expected a binary this engine compiles, got its own: .*; allow 'wasm-unsafe-eval' or give a WebAssembly\.Module$/,
  },
];

export const REFUSALS = PLACES.map(({ name, run, sentence }) => ({
  name,
  ci: true,
  async check() {
    const { name: type, message } = await run();
    const isRight = type === "UnsupportedError" && sentence.test(message);
    return isRight ? { problems: [], note: message } : { problems: [`expected ${sentence}, got ${type}: ${message}`] };
  },
}));
