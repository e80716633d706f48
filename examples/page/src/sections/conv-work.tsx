// What a layer of section 3 costs, and what groups and separable blocks save.
import { count, short } from "../parts/format.js";
import { NormWork } from "./conv-norm.js";
import { M, P, Q, reason, setting } from "./conv-state.js";

/** Multiplications of the full convolution above those of a depthwise one with a 1 x 1 behind it. */
function Saving({ full, depthwise, pointwise }: Readonly<Record<"full" | "depthwise" | "pointwise", number>>) {
  const most = Math.max(full, depthwise + pointwise);
  const width = (value: number) => ({ inlineSize: `${(100 * value) / most}%` });
  return (
    <div class="saving">
      <span>full</span>
      <span class="bar">
        <span style={width(full)} />
      </span>
      <span class="figure">{count(full)}</span>
      <span>separable</span>
      <span class="bar">
        <span class="depthwise" style={width(depthwise)} />
        <span class="pointwise" style={width(pointwise)} />
      </span>
      <span class="figure">{count(depthwise + pointwise)}</span>
      <p class="quiet">
        <i class="depthwise" /> depthwise {count(depthwise)} <i class="pointwise" /> 1 × 1 {count(pointwise)}
      </p>
    </div>
  );
}

/** Multiply-accumulates, and the same layer as a separable block. */
export function Work() {
  const { kind, input, weight, groups } = setting.value;
  if (kind === "norm") return <NormWork />;
  if (reason.value || kind !== "conv") return null;
  const [C] = input;
  const [, , R, S] = weight;
  const places = P.value * Q.value;
  const full = M.value * C * R * S * places;
  const [depthwise, pointwise] = [C * R * S * places, M.value * C * places];
  const share = 1 / M.value + 1 / (R * S);
  return (
    <div class="work">
      <ul class="counts">
        <li>
          M·C·R·S·P·Q{groups > 1 ? " / groups" : ""} = {M.value}·{C}·{R}·{S}·{P.value}·{Q.value}
          {groups > 1 ? ` / ${groups}` : ""} = <b>{count(full / groups)}</b> multiplications
          {groups > 1 && groups === C ? ", depthwise: each channel alone" : ""}
        </li>
        {R === 1 && S === 1 ? (
          <li>
            1 × 1 is a matrix product: [{M.value} × {C / groups}] · [{C / groups} × {places}]
          </li>
        ) : (
          <li>
            Depthwise, then 1 × 1 (separable): C·R·S·P·Q + M·C·P·Q = <b>{count(depthwise + pointwise)}</b>, of the full
            one 1/M + 1/(R·S) = 1/{M.value} + 1/{R * S} = <b>{short(share)}</b>
            {share >= 1
              ? `: with so few filters it saves nothing; with 64 it would be ${short(1 / 64 + 1 / (R * S))}`
              : ""}
          </li>
        )}
      </ul>
      {(R > 1 || S > 1) && <Saving full={full} depthwise={depthwise} pointwise={pointwise} />}
    </div>
  );
}
