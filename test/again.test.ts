// Cases that are tried twice: what fails once is right, and says so; what fails twice has failed.
import { expect, it, vi } from "vitest";
import { type Attempt, Skip, tried } from "./again.mjs";

/** Answers these in turn, or throws them; more than that is an error, too. */
function inTurn(...outcomes: (Attempt | Error)[]) {
  return vi.fn(async (): Promise<Attempt> => {
    const outcome = outcomes.shift() ?? new Error("one try too many");
    if (outcome instanceof Error) throw outcome;
    return outcome;
  });
}
const right: Attempt = { problems: [], ms: 7 };

it("what is right at once is tried once", async () => {
  const [attempt, renew] = [inTurn(right), vi.fn()];
  expect(await tried(attempt, { renew })).toEqual({ status: "ok", facts: { ms: 7 } });
  expect([attempt.mock.calls.length, renew.mock.calls.length]).toEqual([1, 0]);
});

it.each([
  ["throws", new Error("the browser ended\nBrowser logs:\n…"), "the browser ended"],
  ["answers what is wrong", { problems: ["no bits", "no threads"], ms: 5 }, "no bits; no threads"],
])("what %s once is right at the second try, renewed, and says why", async (_, wrong, why) => {
  const attempt = inTurn(wrong, right);
  const renew = vi.fn(() => expect(attempt).toHaveBeenCalledTimes(1));
  expect(await tried(attempt, { renew })).toEqual({
    status: "ok",
    note: `at the second try: ${why}`,
    facts: { ms: 7 },
  });
  expect([attempt.mock.calls.length, renew.mock.calls.length]).toEqual([2, 1]);
});

it("what fails twice has failed, with both reasons; there is no third try", async () => {
  const attempt = inTurn(new Error("no answer"), { problems: ["other bits"], variant: "simd" }, right);
  expect(await tried(attempt, { messageOf: ({ message }) => `${message}!` })).toEqual({
    status: "FAIL",
    note: "other bits; at the first try: no answer!",
    facts: { variant: "simd" },
  });
  expect(attempt).toHaveBeenCalledTimes(2);
});

it("what can't be had is skipped, but not after a failure", async () => {
  const attempt = inTurn(new Skip("no Deno"), right);
  expect(await tried(attempt)).toEqual({ status: "SKIP", note: "no Deno", facts: {} });
  expect(attempt).toHaveBeenCalledTimes(1);
  expect(await tried(inTurn(new Error("other bits"), new Skip("no Deno")))).toEqual({
    status: "FAIL",
    note: "no Deno; at the first try: other bits",
    facts: {},
  });
});
