// test/conformance is what test/conformance-set.ts makes. WRITE=1 npx vitest run test/conformance-set.test.ts writes it.
// `npm run conformance` runs those files on the built package; here the same models run from the sources, on every binary.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { conformanceSet, OPERATORS, operandsOf, operatorFile, outputsOf, toleranceOf } from "./conformance-set.js";
import { expectClose } from "./tolerance.js";

const ROOT = fileURLToPath(new URL("conformance", import.meta.url));

it("the project's own conformance set is the one that the reference makes", () => {
  const made = conformanceSet();
  if (process.env["WRITE"] !== undefined) {
    rmSync(ROOT, { recursive: true, force: true });
    for (const [path, bytes] of made) {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true });
      writeFileSync(join(ROOT, path), bytes);
    }
  }
  const found = (readdirSync(ROOT, { recursive: true }) as string[]).filter((path) =>
    statSync(join(ROOT, path)).isFile(),
  );
  expect(found.sort()).toEqual([...made.keys()].sort());
  for (const [path, bytes] of made) expect(Buffer.compare(readFileSync(join(ROOT, path)), bytes), path).toBe(0);
});

/** No kernel fills what lies outside of a crop, computes these activations, or lays a sum along a named axis. */
const ON_HOST = ["resize_crop", "along_an_axis"];

describe.each(BINARIES)("operators on $name", ({ create }) => {
  // With every operand given to the run, mostly host operators compute, after it; with all but the first constant, kernels;
  // with all of them constant, host operators while the file is loaded.
  it.each(["all", "first", "none"] as const)("answer what the reference does, given operands: %s", async (given) => {
    const rt = await create();
    for (const [name, test] of Object.entries(OPERATORS)) {
      const model = await loadOnnx(rt, operatorFile(test, given));
      const operands = model.inputs.map(({ dtype }, i) => {
        const { shape, data } = operandsOf(test)[i] as (typeof test.nodes)[0]["output"];
        return { shape, data: dtype === "int64" ? BigInt64Array.from(data, BigInt) : Array.from(data) };
      });
      const outputs = model.run(Object.fromEntries(model.inputs.map((input, i) => [input.name, operands[i] as never])));
      outputsOf(test).forEach((output, i) => {
        const { rtol, atol } = toleranceOf(output);
        const got = outputs[(model.outputs[i] as { name: string }).name];
        expect(got?.shape, `${name} ${i}`).toEqual(output.shape);
        const allowed = output.data.map((value) => atol + rtol * Math.abs(value));
        expectClose(Array.from(got?.data as Float32Array, Number), output, allowed, `${name} ${i}`);
      });
      // A lowering that gives up where it should not is right, and slow.
      const onHost = given === "first" && model.summary().rows.some(({ reason }) => reason === "JavaScript");
      expect(onHost, `${name} in JavaScript`).toBe(given === "first" && ON_HOST.includes(name));
      model.dispose();
    }
    expect(rt.report().bytesInUse).toBe(0);
  });
});
