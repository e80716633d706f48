// What both conformance runners say in the end, and when they fail.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { UnsupportedError } from "lanewise";

/**
 * { name, status, maxAbs, ran, reason } of a test that throws when it fails, and UnsupportedError where something is missing.
 * It tells `seen` the differences it finds, and `seen.ran` where its operator ran, if it knows; what it answers is the reason
 * of a pass, or null.
 */
export async function outcomeOf(name, test) {
  let maxAbs = null;
  let ran = null;
  const seen = (difference) => {
    maxAbs = Math.max(maxAbs ?? 0, difference);
  };
  seen.ran = (place) => {
    ran = place;
  };
  let status = "passed";
  let reason;
  try {
    reason = (await test(seen)) ?? null;
  } catch (error) {
    status = error instanceof UnsupportedError ? "unsupported" : "failed";
    reason = error.message;
  }
  return { name, status, reason, maxAbs, ...(ran !== null && { ran }) };
}

/**
 * Prints and writes the outcomes; the process fails on those that conformance-expected.json does not name with a reason.
 * constants: outcomes of the same tests with all operands but the first as initialisers.
 */
export function report(tests, { variant, json, constants }) {
  const others = constants && summarise(constants, `${variant}, constant operands`);
  const summary = summarise(tests, variant);
  if (json) {
    const more = constants && { constants: { ...others, tests: constants } };
    writeFileSync(json, `${JSON.stringify({ ...summary, tests, ...more }, null, 1)}\n`);
  }

  const expected = JSON.parse(readFileSync(new URL("conformance-expected.json", import.meta.url), "utf8"));
  const isExpected = ({ name }) => [name, basename(name)].some((known) => Object.hasOwn(expected, known));
  const unexpected = [...tests, ...(constants ?? [])].filter((test) => test.status !== "passed" && !isExpected(test));
  for (const { name } of unexpected) console.log(`not expected: ${name}`);
  process.exitCode = unexpected.length > 0 ? 1 : 0;
}

/** Prints what failed, what is missing, where operators ran and, last, how many passed; answers the numbers. */
function summarise(tests, title) {
  const count = (field, value) => tests.filter((test) => test[field] === value).length;
  const of = (status) => tests.filter((test) => test.status === status);
  for (const { name, maxAbs, reason } of of("failed"))
    console.log(`FAILED ${name}: largest difference ${maxAbs ?? "none"}: ${reason}`);
  const missing = new Map();
  for (const { reason } of of("unsupported")) missing.set(reason, (missing.get(reason) ?? 0) + 1);
  for (const [reason, times] of missing) console.log(`unsupported, ${times} tests: ${reason}`);
  const ran = Object.fromEntries(["kernels", "JavaScript", "folded"].map((place) => [place, count("ran", place)]));
  const isKnown = tests.some((test) => "ran" in test);
  if (isKnown)
    console.log(
      `${title}: ${ran.kernels} on kernels, ${ran.JavaScript} in JavaScript, ${ran.folded} folded or after the run`,
    );
  const summary = { passed: count("status", "passed"), failed: count("status", "failed") };
  const unsupported = count("status", "unsupported");
  console.log(`${title}: ${summary.passed} passed, ${summary.failed} failed, ${unsupported} unsupported`);
  return { ...summary, unsupported, ...(isKnown && { ran }) };
}
