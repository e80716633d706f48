// 5: where a network's work and its numbers sit, layer by layer.
import { effect, signal } from "@preact/signals";
import { stateOf } from "../address.js";
import { call } from "../call.js";
import type { Answer } from "../engine/ops.js";
import { Choice } from "../parts/controls.js";
import { count, grouped } from "../parts/format.js";

const NETS = ["lenet5", "alexnet", "vgg16", "resnet18", "mobilenet"] as const;
type Net = (typeof NETS)[number];
const NAMES: Readonly<Record<Net, string>> = {
  lenet5: "LeNet-5",
  alexnet: "AlexNet",
  vgg16: "VGG-16",
  resnet18: "ResNet-18",
  mobilenet: "MobileNet",
};
const SAYS: Readonly<Record<Net, string>> = {
  lenet5:
    "1998: two convolutions read digits. Four fifths of its numbers sit in the first fully connected layer, most of its work in the convolutions.",
  alexnet:
    "2012: nearly all multiplications are in the convolutions, nearly all parameters in the three layers behind them.",
  vgg16:
    "2014: 3 × 3 throughout. Its first fully connected layer alone holds three quarters of its 138 million numbers.",
  resnet18:
    "2015: blocks with a shortcut, one mean over each map instead of large layers at the end. Work is spread evenly.",
  mobilenet: "2017: depthwise, then 1 × 1. The depthwise halves are hardly to be seen: that is the saving.",
};

const state = stateOf("nets", { net: { is: "alexnet", of: NETS } });
const found = signal<{ net: string; answer: Answer<"nets"> } | undefined>(undefined);
const failure = signal("");

/** Resolves when the first table is there. */
export function startNets(): Promise<void> {
  return new Promise((next) => {
    effect(() => {
      const { net } = state.now.value;
      const answered = call("nets", { name: net }).then(
        (answer) => {
          if (state.now.peek().net === net) found.value = { net, answer };
          failure.value = "";
        },
        (error) => {
          failure.value = error.message;
        },
      );
      void answered.then(next);
    });
  });
}

function Alexnet({ answer }: { readonly answer: Answer<"nets"> }) {
  const { macs, ungroupedMacs, parameters } = answer.totals;
  const sum = answer.textbook.reduce((a, b) => a + b, 0);
  return (
    <p>
      Textbooks say 61.0 M parameters and {sum} M multiplications: {answer.textbook.join(" + ")}, each rounded down,
      conv4 as if its filters saw all channels. They do not: AlexNet was trained on two graphics cards, and conv2, conv4
      and conv5 see only the channels of their own, in two groups. That makes {count(macs)}; without any groups it would
      be {count(ungroupedMacs)}. Its {count(parameters)} parameters are those of the groups.
    </p>
  );
}

function Bar({ share, kind }: { readonly share: number; readonly kind: string }) {
  return (
    <span class={`bar ${kind}`}>
      <span style={{ inlineSize: `${(100 * share).toFixed(2)}%` }} />
    </span>
  );
}

export function Nets() {
  const { net } = state.now.value;
  const answer = found.value?.answer;
  const rows = (answer?.rows ?? []).filter(({ macs, parameters }) => macs > 0 || parameters > 0);
  const mostMacs = Math.max(1, ...rows.map(({ macs }) => macs));
  const mostParameters = Math.max(1, ...rows.map(({ parameters }) => parameters));
  return (
    <>
      <Choice label="network" value={net as Net} of={NETS} names={NAMES} set={(chosen) => state.set({ net: chosen })} />
      <p>{SAYS[net as Net]}</p>
      {failure.value && <p class="refusal">{failure.value}</p>}
      <div class="scroll nets-scroll">
        <table class="nets" data-net={found.value?.net}>
          <caption class="sr">Layers of {NAMES[net as Net]}</caption>
          <thead>
            <tr>
              <th scope="col">Layer</th>
              <th scope="col" class="wide">
                Output
              </th>
              <th scope="col" colSpan={2}>
                Multiplications
              </th>
              <th scope="col" colSpan={2}>
                Parameters
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ layer, outputShape, macs, parameters }) => (
              <tr key={layer}>
                <th scope="row">{layer}</th>
                <td class="number wide">{outputShape.slice(1).join(" × ")}</td>
                <td class="number">{count(macs)}</td>
                <td class="bars-cell">
                  <Bar share={macs / mostMacs} kind="time" />
                </td>
                <td class="number">{count(parameters)}</td>
                <td class="bars-cell">
                  <Bar share={parameters / mostParameters} kind="work" />
                </td>
              </tr>
            ))}
          </tbody>
          {answer && (
            <tfoot>
              <tr>
                <th scope="row">in all</th>
                <td class="wide" />
                <td class="number" colSpan={2} data-macs={answer.totals.macs}>
                  {count(answer.totals.macs)} <small>({grouped(answer.totals.macs)})</small>
                </td>
                <td class="number" colSpan={2} data-parameters={answer.totals.parameters}>
                  {count(answer.totals.parameters)} <small>({grouped(answer.totals.parameters)})</small>
                </td>
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {net === "alexnet" && found.value?.net === "alexnet" && <Alexnet answer={found.value.answer} />}
    </>
  );
}
