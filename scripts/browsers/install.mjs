// node scripts/browsers/install.mjs: brings the browsers that are missing here, where apt-get may: 1.5 minutes for all three. What
// cannot be had is named, and the tests skip it.
import { spawnSync } from "node:child_process";
import { BROWSERS, findBrowser } from "./launch.mjs";

const missing = Object.keys(BROWSERS).filter((name) => findBrowser(name).missing);
const packages = missing.flatMap((name) => BROWSERS[name].packages);
const apt = (...args) =>
  spawnSync("apt-get", args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 600_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
if (packages.length > 0 && process.getuid?.() === 0) {
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", ...packages]]) {
    const { status, stderr, error } = apt(...args);
    if (status !== 0) console.log(`apt-get ${args[0]}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`);
  }
}
for (const name of Object.keys(BROWSERS)) {
  const { program, missing: files } = findBrowser(name);
  console.log(files ? `SKIP ${name}: no ${files.join(", ")}` : `${name}: ${program}`);
}
