// 7: what this browser is to the kernels, to be copied into a bug report.
import { computed, signal } from "@preact/signals";
import type { RuntimeReport } from "lanewise";
import { stateOf } from "../address.js";
import { call, where } from "../call.js";
import { bytes, milliseconds } from "../parts/format.js";
import { askAgain, firstAnswerMs, firstBytes, isPartOfBytes } from "./digit-state.js";

export const report = signal<RuntimeReport | undefined>(undefined);
export const reportFailure = signal("");
const test = signal<{ ms: number; passed: boolean; sentence: string } | undefined>(undefined);
const copied = signal(false);

export async function loadReport(): Promise<void> {
  try {
    report.value = await call("report", undefined);
    test.value ??= await call("selfTest", undefined);
    reportFailure.value = "";
  } catch (error) {
    reportFailure.value = (error as Error).message;
  }
}

function fetchedSentence(): string {
  if (firstBytes.value === 0) return "no answer yet";
  const rest = isPartOfBytes.value ? ", and the worker's files, whose sizes this browser does not tell" : "";
  return `${bytes(firstBytes.value)} until the first answer, as they were sent${rest}`;
}

function rows(): [string, string][] {
  const found = report.value;
  const { hardwareConcurrency, userAgent } = navigator;
  const isolated = globalThis.crossOriginIsolated === true;
  const given = reportFailure.value
    ? [["kernels", reportFailure.value] as [string, string]]
    : found
      ? ([
          ["kernels", found.variant],
          ["because", found.reason],
          ["threads", `${found.threads.running}${found.threads.reason ? ` (${found.threads.reason})` : ""}`],
          [
            "memory",
            `${bytes(found.bytesInUse)} in use, ${bytes(found.peakBytes)} at most, ${bytes(found.memoryBytes)} reserved of ${bytes(found.maxBytes)}`,
          ],
        ] as [string, string][])
      : [];
  const tested = test.value;
  return [
    ["lanewise", VERSION],
    ...given,
    ...(tested
      ? [
          ["self-test", tested.passed ? `passed, ${milliseconds(tested.ms)} ms with its start` : tested.sentence] as [
            string,
            string,
          ],
        ]
      : []),
    ["runs in", where.value === "worker" ? "a worker" : "the page itself: a worker was refused"],
    ["isolated", isolated ? "yes: threads are possible" : "no: one thread"],
    ["cores", String(hardwareConcurrency)],
    ["fetched", fetchedSentence()],
    [
      "first answer",
      firstAnswerMs.value === undefined
        ? "none yet"
        : `${Math.round(firstAnswerMs.value)} ms after the page was asked for`,
    ],
    ["browser", userAgent],
  ];
}

const VARIANTS = ["auto", "simd", "relaxed"] as const;
type Variant = (typeof VARIANTS)[number];
const state = stateOf("report", { variant: { is: "auto", of: VARIANTS } });
const asked = computed(() => state.now.value.variant);
async function restart(variant: Variant) {
  state.set({ variant });
  try {
    report.value = await call("restart", { variant, ...boot.limits() });
    test.value = await call("selfTest", undefined);
    reportFailure.value = "";
    askAgain();
  } catch (error) {
    reportFailure.value = (error as Error).message;
  }
}

export function Report() {
  const all = rows();
  const text = all.map(([name, value]) => `${name}: ${value}`).join("\n");
  return (
    <>
      <dl class="report">
        {all.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="row">
        <button
          type="button"
          class="primary"
          onClick={async () => {
            try {
              await navigator.clipboard.writeText(text);
              copied.value = true;
            } catch {
              // No permission: the text is there to be selected.
              getSelection()?.selectAllChildren(document.querySelector("dl.report") as Element);
            }
          }}
        >
          {copied.value ? "Copied" : "Copy as text"}
        </button>
        {VARIANTS.map((variant) => (
          <button
            type="button"
            key={variant}
            aria-pressed={asked.value === variant}
            onClick={() => void restart(variant)}
          >
            {variant === "auto" ? "automatic choice" : `${variant} kernels`}
          </button>
        ))}
      </div>
    </>
  );
}
