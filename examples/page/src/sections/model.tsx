// 6: a visitor's own network, layer by layer.
import { signal } from "@preact/signals";
import { call } from "../call.js";
import type { Answer } from "../engine/ops.js";
import { Drop } from "../parts/drop.js";
import { bytes, count, milliseconds } from "../parts/format.js";
import { Arena } from "./model-arena.js";
import { Maps, pictureOf, setPicture } from "./model-maps.js";

type Found = Answer<"openModel"> & { readonly fileName: string; readonly fileBytes: number };
export const model = signal<Found | undefined>(undefined);
const profile = signal<Answer<"profileModel"> | undefined>(undefined);
const failure = signal("");
const busy = signal("");
/** The file that was dropped, to be planned anew for other sizes. */
let file: File | undefined;

/** More than this is no network for a page, and more than a buffer may have in some. */
const MAX_FILE_BYTES = 1 << 30;
const PROFILE_RUNS = 5;
/** Rows of the table: a page of a thousand is slow, and nobody reads them. */
const MAX_ROWS = 300;

/** A page that is not isolated has a clock that steps by 0.1 ms. */
const CLOCK_MICROSECONDS = 100;
function timeOf(microseconds: number): string {
  if (!globalThis.crossOriginIsolated && microseconds < CLOCK_MICROSECONDS) return "< 0.1 ms";
  return `${milliseconds(microseconds / 1000)} ms`;
}

async function plan(given: File, shapes: Readonly<Record<string, readonly number[]>>): Promise<void> {
  busy.value = `Planning ${given.name} …`;
  failure.value = "";
  profile.value = undefined;
  model.value = undefined;
  try {
    if (given.size > MAX_FILE_BYTES)
      throw new Error(`"${given.name}" expected at most ${bytes(MAX_FILE_BYTES)}, got ${bytes(given.size)}`);
    const found = await call("openModel", { file: await given.arrayBuffer(), shapes });
    model.value = { ...found, fileName: given.name, fileBytes: given.size };
  } catch (error) {
    failure.value = (error as Error).message;
  }
  busy.value = "";
}

export async function take(given: File): Promise<void> {
  if (/^image\//.test(given.type)) {
    if (!model.value) failure.value = `"${given.name}" expected an .onnx file first, got a picture`;
    else await setPicture(given);
    return;
  }
  file = given;
  await plan(given, {});
}

async function measure(): Promise<void> {
  if (!model.value) return;
  busy.value = "Running …";
  try {
    profile.value = await call("profileModel", { inputs: model.value.inputs, runs: PROFILE_RUNS });
    failure.value = "";
  } catch (error) {
    failure.value = (error as Error).message;
  }
  busy.value = "";
}

function Inputs({ found }: { readonly found: Found }) {
  return (
    <ul class="inputs">
      {found.inputs.map(({ name, shape, isOpen }) => (
        <li key={name}>
          <span class="figure">{name}</span>
          {isOpen ? (
            <label>
              <span class="sr">Sizes of {name}, which the file leaves open</span>
              <input
                class="sizes figure"
                value={shape.join(" × ")}
                onChange={({ currentTarget }) => {
                  const sizes = (currentTarget.value.match(/\d+/g) ?? []).map(Number);
                  if (file && sizes.length === shape.length && sizes.every((size) => size > 0))
                    void plan(file, {
                      ...Object.fromEntries(found.inputs.map((input) => [input.name, input.shape])),
                      [name]: sizes,
                    });
                  else currentTarget.value = shape.join(" × ");
                }}
              />
            </label>
          ) : (
            <span class="figure">{shape.join(" × ")}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Table({ found }: { readonly found: Found }) {
  const rows = profile.value?.layers ?? found.layers;
  const isTimed = profile.value !== undefined;
  const most = Math.max(1, ...rows.map(({ macs, microseconds }) => (isTimed ? (microseconds ?? 0) : macs)));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section class="scroll tall" tabIndex={0} aria-label="Layers">
      <table class="layers-table">
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col" class="wide">
              Computed by
            </th>
            <th scope="col" class="wide">
              Output
            </th>
            <th scope="col" class="number">
              Products
            </th>
            <th scope="col" class="number wide">
              Parameters
            </th>
            <th scope="col" class="number">
              {isTimed ? "Time" : ""}
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {rows
            .slice(0, MAX_ROWS)
            .map(({ layer, op, algorithm, outputShape, macs, parameters, inJavaScript, microseconds = 0 }, i) => (
              <tr key={i}>
                <th scope="row">
                  <span class="name">{layer || "memory format"}</span>
                </th>
                <td class={`wide ${inJavaScript ? "slow" : ""}`}>{inJavaScript ? `${op}, JavaScript` : algorithm}</td>
                <td class="number wide">{outputShape.join(" × ")}</td>
                <td class="number">{macs > 0 ? count(macs) : ""}</td>
                <td class="number wide">{parameters > 0 ? count(parameters) : ""}</td>
                <td class="number">{isTimed ? timeOf(microseconds) : ""}</td>
                <td class="bars-cell">
                  <span class="bar">
                    <span style={{ inlineSize: `${((100 * (isTimed ? microseconds : macs)) / most).toFixed(1)}%` }} />
                  </span>
                </td>
              </tr>
            ))}
        </tbody>
      </table>
      {rows.length > MAX_ROWS && <p class="quiet">and {rows.length - MAX_ROWS} more</p>}
    </section>
  );
}

function Opened({ found }: { readonly found: Found }) {
  const { fileName, fileBytes, producer, opset, nodes, elements, missing, refusal, totals, layers } = found;
  return (
    <>
      <p class="opened" data-nodes={nodes} data-layers={layers.length}>
        <b>{fileName}</b>, {bytes(fileBytes)}
        {producer && `, written by ${producer}`}
        {opset !== undefined && `, operator set ${opset}`}: {nodes} nodes, {count(elements)} parameters.
        {totals &&
          ` Planned in ${milliseconds(found.loadMs ?? 0)} ms: ${count(totals.macs)} multiplications, ${bytes(totals.totalBytes)} of memory.`}
      </p>
      {missing.length > 0 && (
        <div class="refusal">
          <p>{missing.length === 1 ? "One operator is" : `${missing.length} operators are`} missing in lanewise:</p>
          <ul>
            {missing.map(({ name, count: times, nodes: where }) => (
              <li key={name}>
                <b>{name}</b>, {times} {times === 1 ? "time" : "times"}
                {where.length > 0 && `: ${where.join(", ")}`}
              </li>
            ))}
          </ul>
        </div>
      )}
      {refusal && missing.length === 0 && <p class="refusal">{refusal}</p>}
      <Inputs found={found} />
      {totals && (
        <>
          <div class="row between">
            <button type="button" class="primary" onClick={() => void measure()} disabled={busy.value !== ""}>
              {profile.value ? "Time it again" : "Time its layers here"}
            </button>
            {profile.value && (
              <p class="figure" data-microseconds={profile.value.microseconds}>
                {milliseconds(profile.value.microseconds / 1000)} ms a run, {profile.value.gflops.toFixed(1)} billion
                operations a second
              </p>
            )}
          </div>
          <Table found={found} />
          <Arena blocks={found.arena} steps={layers.length} arenaBytes={totals.arenaBytes} />
          <Maps input={pictureOf(found.inputs)} />
        </>
      )}
    </>
  );
}

export function Model() {
  return (
    <>
      <Drop name="model" accept=".onnx" take={(given) => void take(given)}>
        <b>Choose an .onnx file, or drop one here</b>. It stays on this device: this page may only talk to where it came
        from, and sends nothing there.
      </Drop>
      <p class="busy" aria-live="polite">
        {busy.value}
      </p>
      {failure.value && <p class="refusal">{failure.value}</p>}
      {model.value && <Opened found={model.value} />}
    </>
  );
}
