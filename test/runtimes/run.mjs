// npm run test:runtimes: installs the packed tarball into a bare project, and runs golden.mjs there in every runtime that can be had.
// Runtimes are installed under .rt (git-ignored); one that can't be is skipped, visibly. The simd binary must give the same bits in all of
// them; browsers' places are test/browsers'. Then places that do not do (refusals.mjs). Flags: test/places.mjs.
import { runPlaces } from "../places.mjs";
import { EDGE } from "./edge.mjs";
import { HOSTS } from "./hosts.mjs";
import { REFUSALS } from "./refusals.mjs";

let bits; // hashes of what the simd binary computes: the same in every runtime
async function check(runtime) {
  const results = await runtime.run();
  const [auto, simd, several] = results;
  const { variant, reason } = auto.report;
  const problems = [];
  if (variant !== runtime.variant) problems.push(`expected the ${runtime.variant} binary, got ${variant} (${reason})`);
  for (const { lenet } of results)
    if (lenet.right < 9) problems.push(`LeNet-5 read ${lenet.right} of ${lenet.of} digits`);
  // Even in workerd: its clock stands still only where Cloudflare runs it.
  for (const { choice } of results)
    if (!choice.startsWith("fastest measured")) problems.push(`expected a measured choice, got "${choice}"`);
  bits ??= simd.hashes;
  const others = Object.keys(bits).filter((what) => [simd, several].some(({ hashes }) => hashes[what] !== bits[what]));
  for (const what of others) problems.push(`simd: ${what} has other bits than in the first place`);
  const { running, reason: why } = several.report.threads;
  const wanted = runtime.threads ?? 1;
  if (running !== wanted) problems.push(`expected ${wanted} threads, got ${running} (${why})`);
  const { why: reasons = /./ } = runtime;
  if (running === 1 && !reasons.test(why ?? "")) problems.push(`expected ${reasons} for one thread, got ${why}`);
  // Photos have the same bits beside either binary.
  if (auto.hashes.photos !== bits.photos) problems.push(`photos have other bits beside ${variant}`);
  const { first, ms } = auto.starts;
  const note = `first ${first.toFixed(1)} ms, ${Object.keys(auto.hashes).length - 4} algorithms, two networks, photos, ${auto.lenet.right} of ${auto.lenet.of} digits`;
  return {
    problems,
    version: runtime.version?.(),
    variant,
    reason,
    threads: running,
    bits: others.length === 0,
    ms,
    note,
  };
}

const places = [...HOSTS, ...EDGE].map((one) => ({ name: one.name, ci: one.ci, check: () => check(one) }));
await runPlaces("runtimes", [...places, ...REFUSALS]);
