// What a layer of an image model sees: its maps for a picture, a drawn one until another is dropped.
import { signal } from "@preact/signals";
import { call } from "../call.js";
import type { Input } from "../engine/model.js";
import type { Answer } from "../engine/ops.js";
import { Shades } from "../parts/canvas.js";
import { Drop } from "../parts/drop.js";

const found = signal<Answer<"featureMaps"> | undefined>(undefined);
const failure = signal("");
const picture = signal<Blob | undefined>(undefined);
/** Which input the maps are of. */
let input: Input | undefined;

/** The input that takes pictures, of three channels or one. */
export function pictureOf(inputs: readonly Input[]): Input | undefined {
  return inputs.find(({ shape }) => shape.length === 4 && (shape[1] === 3 || shape[1] === 1) && (shape[2] ?? 0) > 7);
}

/** A disc, a bar and a slope of light: edges of all directions. */
async function drawn(): Promise<ImageBitmap> {
  const canvas = document.createElement("canvas");
  canvas.width = 224;
  canvas.height = 224;
  const context = canvas.getContext("2d");
  if (context) {
    const slope = context.createLinearGradient(0, 0, 224, 224);
    slope.addColorStop(0, "#102040");
    slope.addColorStop(1, "#e0e8ff");
    context.fillStyle = slope;
    context.fillRect(0, 0, 224, 224);
    context.fillStyle = "#d86030";
    context.beginPath();
    context.arc(88, 100, 52, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#30a070";
    context.fillRect(130, 120, 70, 24);
  }
  return createImageBitmap(canvas);
}

async function look(node: string): Promise<void> {
  if (!input) return;
  failure.value = "";
  try {
    const bitmap = picture.value ? await createImageBitmap(picture.value) : await drawn();
    found.value = await call("featureMaps", { node, input, picture: bitmap });
  } catch (error) {
    failure.value = (error as Error).message;
  }
}

export async function setPicture(file: Blob): Promise<void> {
  picture.value = file;
  await look(found.value?.chosen ?? "");
}

/** One map, from its least to its largest value. */
function shaded(values: Float32Array): Float32Array {
  const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return values.map((value) => (value - least) / (most - least || 1));
}

export function Maps({ input: given }: { readonly input: Input | undefined }) {
  if (given === undefined) return null;
  if (input?.name !== given.name || `${input.shape}` !== `${given.shape}`) found.value = undefined;
  input = given;
  const answer = found.value;
  return (
    <section class="how" aria-label="What a layer sees">
      <h3>What a layer sees</h3>
      <div class="row">
        <button type="button" onClick={() => void look(answer?.chosen ?? "")}>
          {answer ? "Look again" : "Look at its first layer"}
        </button>
        {answer && (
          <label class="pick">
            <span>of</span>
            <select value={answer.chosen} onChange={({ currentTarget }) => void look(currentTarget.value)}>
              {answer.nodes.map(({ name, op }) => (
                <option key={name} value={name}>
                  {op}: {name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {answer && (
        <>
          <Drop name="picture" accept="image/*" take={(file) => void setPicture(file)}>
            Drop a picture of yours.
          </Drop>
          <p class="quiet">
            {answer.maps} of {answer.C} maps of {answer.H} × {answer.W}, each from its least to its largest value
          </p>
          <div class="maps seen-maps">
            {Array.from({ length: answer.maps }, (_, i) => (
              <Shades
                key={i}
                values={shaded(answer.values.subarray(i * answer.H * answer.W, (i + 1) * answer.H * answer.W))}
                width={answer.W}
                aria-hidden="true"
              />
            ))}
          </div>
        </>
      )}
      {failure.value && <p class="refusal">{failure.value}</p>}
    </section>
  );
}
