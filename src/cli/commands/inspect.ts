// What a file is and costs, run or not.

import type { OnnxModel } from "../../onnx/index.js";
import { EXIT, exitOf, UsageError } from "../errors.js";
import { writeWhole } from "../files.js";
import { csvOf, type Inspection, layersBy, markdownOf, planOf, type SortKey } from "../inspect/report.js";
import { arenaSvg } from "../inspect/svg.js";
import { inspectionText } from "../inspect/text.js";
import type { Io } from "../io.js";
import {
  closedShapes,
  describeFile,
  loadFile,
  type ModelFlags,
  madeUp,
  openRuntime,
  shapeExample,
  shapesOf,
} from "../model.js";

export interface InspectFlags extends ModelFlags {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly markdown?: boolean;
  readonly svg?: string;
  readonly top?: number;
  readonly sort?: SortKey;
  readonly time?: boolean;
  readonly optimize?: boolean;
}

/** Runs of a profile. */
const RUNS = 5;

export async function inspect(io: Io, file: string, flags: InspectFlags): Promise<number> {
  const { json, csv, markdown, svg, top, sort = "file" } = flags;
  if ([json, csv, markdown].filter(Boolean).length > 1)
    throw new UsageError(`"inspect" expected one of --json, --csv and --markdown, got more`);
  const { inspection, code } = await inspectionOf(io, file, flags);
  const { plan } = inspection;
  if (svg !== undefined) {
    if (plan === null)
      throw new UsageError(`"--svg" expected a network that can be planned, got one with ${inspection.problem}`);
    writeWhole(svg, arenaSvg(plan, `${inspection.file}: memory of a run`));
    io.note(`${svg} written\n`);
  }
  const layers = layersBy(plan?.layers ?? [], sort, top);
  if (json) io.out(`${JSON.stringify({ ...inspection, plan: plan && { ...plan, layers } }, null, 2)}\n`);
  else if ((csv || markdown) && plan === null) io.note(`${inspection.file}: not planned: ${inspection.problem}\n`);
  else if (csv) io.out(csvOf(layers));
  else if (markdown) io.out(markdownOf(layers));
  else io.out(inspectionText(inspection, { columns: io.columns, paint: io.paint, layers }));
  return code;
}

/** A network without any answers no plan. */
function hasKernels(model: OnnxModel): boolean {
  try {
    return model.plan !== undefined;
  } catch {
    return false;
  }
}

/** What there is to say of a file, and the exit code: a file that cannot be planned is described as far as it goes. */
async function inspectionOf(
  io: Io,
  file: string,
  flags: InspectFlags,
): Promise<{ inspection: Inspection; code: number }> {
  const { name, bytes, description } = await describeFile(file);
  const { shapes, note, still } = closedShapes(description, shapesOf(flags.shape, description));
  const found: Inspection = {
    file: name,
    bytes: bytes.length,
    ...description,
    plan: null,
    problem: null,
    notes: note ? [note] : [],
  };
  const missing = description.operators.filter(({ supported }) => !supported);
  if (missing.length > 0) {
    const problem = `operators that are missing: ${missing.map(({ name, count }) => `${name} x${count}`).join(", ")}`;
    return { inspection: { ...found, problem }, code: EXIT.unsupported };
  }
  if (still.length > 0) {
    const problem = `open shapes of ${still.map(({ name }) => name).join(", ")}: ${shapeExample(still)} plans them`;
    return { inspection: { ...found, problem }, code: 0 };
  }
  const rt = await openRuntime(flags);
  try {
    const { model } = await loadFile(io, rt, file, bytes, flags, {
      shapes,
      ...(flags.optimize === false && { optimize: false }),
    });
    if (model.inputs.some(({ shape }) => shape.some((size) => typeof size !== "number")))
      return { inspection: { ...found, problem: "shapes that only a run decides" }, code: 0 };
    if (!hasKernels(model)) return { inspection: { ...found, problem: "no step that a kernel runs" }, code: 0 };
    const times = flags.time || flags.sort === "time" ? model.profile(madeUp(model), { runs: RUNS }) : undefined;
    const plan = planOf(
      model.summary(),
      times?.rows.map(({ microseconds }) => microseconds),
    );
    return { inspection: { ...found, plan }, code: 0 };
  } catch (error) {
    const code = exitOf(error);
    if (code !== EXIT.unsupported) throw error;
    return { inspection: { ...found, problem: (error as Error).message }, code };
  } finally {
    rt.dispose();
  }
}
