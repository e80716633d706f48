// What both conformance runners say in the end, and when they fail.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { UnsupportedError } from "lanewise";

/**
 * { name, status, maxAbs, reason } of a test that throws when it fails, and UnsupportedError where something is missing. It
 * tells `seen` the differences it finds; what it answers is the reason of a pass, or null.
 */
export async function outcomeOf(name, test) {
  let maxAbs = null;
  const seen = (difference) => {
    maxAbs = Math.max(maxAbs ?? 0, difference);
  };
  try {
    return { name, status: "passed", reason: (await test(seen)) ?? null, maxAbs };
  } catch (error) {
    return {
      name,
      status: error instanceof UnsupportedError ? "unsupported" : "failed",
      reason: error.message,
      maxAbs,
    };
  }
}

/** Prints and writes the outcomes; the process fails on those that conformance-expected.json does not name with a reason. */
export function report(tests, { variant, json }) {
  const expected = JSON.parse(readFileSync(new URL("conformance-expected.json", import.meta.url), "utf8"));
  const of = (status) => tests.filter((test) => test.status === status);
  const summary = { passed: of("passed").length, failed: of("failed").length, unsupported: of("unsupported").length };
  for (const { name, maxAbs, reason } of of("failed"))
    console.log(`FAILED ${name}: largest difference ${maxAbs ?? "none"}: ${reason}`);
  const missing = new Map();
  for (const { reason } of of("unsupported")) missing.set(reason, (missing.get(reason) ?? 0) + 1);
  for (const [reason, count] of missing) console.log(`unsupported, ${count} tests: ${reason}`);
  console.log(`${variant}: ${summary.passed} passed, ${summary.failed} failed, ${summary.unsupported} unsupported`);
  if (json) writeFileSync(json, `${JSON.stringify({ ...summary, tests }, null, 1)}\n`);

  const isExpected = ({ name }) => [name, basename(name)].some((known) => Object.hasOwn(expected, known));
  const unexpected = tests.filter((test) => test.status !== "passed" && !isExpected(test));
  for (const { name } of unexpected) console.log(`not expected: ${name}`);
  process.exitCode = unexpected.length > 0 ? 1 : 0;
}
