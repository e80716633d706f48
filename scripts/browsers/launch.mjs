// Browsers without a driver: each is started on a page that asks our server (open.mjs) what to do next, in a process group and a
// profile of its own, and ended for sure. install.mjs brings those that are missing.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** No first pages, no updates, no asking around; a script may work for minutes. */
const FIREFOX_PREFERENCES = {
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.newtabpage.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.ipc.processPrelaunch.enabled": false,
  "dom.max_script_run_time": 0,
  "extensions.getAddons.cache.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** By name: the files of which the first that is there is the program, more that it needs, and how it is started on a page. */
export const BROWSERS = {
  chromium: {
    programs: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
    needs: [],
    packages: ["chromium"],
    command: (program, profile, url, flags) => [
      program,
      ...CHROMIUM_FLAGS,
      ...flags,
      `--user-data-dir=${profile}`,
      url,
    ],
  },
  firefox: {
    programs: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
    needs: [],
    packages: ["firefox-esr"],
    prepare(profile) {
      const lines = Object.entries(FIREFOX_PREFERENCES).map(
        ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
      );
      writeFileSync(join(profile, "user.js"), lines.join(""));
    },
    command: (program, profile, url) => [program, "--headless", "--no-remote", "--profile", profile, url],
  },
  webkit: {
    programs: ["/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"],
    needs: ["/usr/bin/xvfb-run", "/usr/bin/Xvfb", "/usr/bin/xauth"],
    packages: ["libwebkit2gtk-4.1-0", "xvfb", "xauth"],
    display: ["/usr/bin/xvfb-run", "-a"],
    command: (program, _, url) => [program, "--private", url],
  },
};

/** The program of a browser, or { missing }: which files there should be. */
export function findBrowser(name) {
  const { programs, needs } = BROWSERS[name];
  const program = programs.find((path) => existsSync(path));
  const missing = [...(program ? [] : [programs[0]]), ...needs.filter((path) => !existsSync(path))];
  return missing.length > 0 ? { missing } : { program };
}

/** What a browser says of itself. */
export function versionOf(name) {
  const { program } = findBrowser(name);
  const [file, ...args] = [...(BROWSERS[name].display ?? []), program, "--version"];
  const { stdout } = spawnSync(file, args, { encoding: "utf8", timeout: 180_000 });
  return /\d+\.[\d.]+\w*/.exec(stdout ?? "")?.[0];
}

/** Running browsers: what ends each. */
const running = new Set();
process.on("exit", () => {
  for (const end of running) end();
});
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
])
  process.once(signal, () => process.exit(code));

/**
 * Starts a browser on a page; answers { ended, output, end, pipes }: a promise of its exit, what it printed, the function that ends it, and
 * where Chromium with --remote-debugging-pipe reads and writes. flags: more of Chromium's.
 */
export function launch(name, url, env = {}, flags = []) {
  const { command, prepare, display = [] } = BROWSERS[name];
  const { program, missing } = findBrowser(name);
  if (missing) throw new Error(`"${name}" expected ${missing.join(", ")}`);
  const home = mkdtempSync(join(tmpdir(), `lanewise-${name}-`));
  prepare?.(home);
  const mark = `LANEWISE_BROWSER=${home}`;
  const [file, ...args] = [...display, ...command(program, home, url, flags)];
  const child = spawn(file, args, {
    detached: true, // a process group of its own
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      HOME: home,
      XDG_CACHE_HOME: home,
      XDG_CONFIG_HOME: home,
      XDG_DATA_HOME: home,
      XDG_RUNTIME_DIR: home,
      NO_AT_BRIDGE: "1",
      LANEWISE_BROWSER: home,
      ...env,
    },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      printed = (printed + text).slice(-4000);
    });
  const end = () => {
    running.delete(end);
    killGroup(child.pid);
    while (killMarked(mark) > 0);
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  running.add(end);
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => resolve(`exit ${signal ?? code}`));
  });
  return { ended, output: () => printed.trim(), end, pid: child.pid, pipes: child.stdio.slice(3) };
}

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {} // none is left
}

/** Ends processes that left the group, by the environment that they were given; answers how many there were. */
function killMarked(mark) {
  let count = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const isOurs = readFileSync(`/proc/${entry}/environ`, "latin1").split("\0").includes(mark);
      if (!isOurs || /^State:\s+[ZX]/m.test(readFileSync(`/proc/${entry}/status`, "latin1"))) continue;
      process.kill(Number(entry), "SIGKILL");
      count++;
    } catch {} // it has ended, or is another user's
  }
  return count;
}
