// The peers, installed into this folder on first use: 500 MB.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

export const PEERS_FOLDER = new URL("./", import.meta.url).pathname;

export function installPeers() {
  const { dependencies } = JSON.parse(readFileSync(`${PEERS_FOLDER}package.json`, "utf8"));
  if (Object.keys(dependencies).every((name) => existsSync(`${PEERS_FOLDER}node_modules/${name}`))) return;
  console.error("installing the peers into bench/peers (500 MB) ...");
  execFileSync("npm", ["i", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: PEERS_FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** The versions that are installed, by package. */
export function peerVersions(names) {
  const manifest = (name) => readFileSync(`${PEERS_FOLDER}node_modules/${name}/package.json`, "utf8");
  return Object.fromEntries(names.map((name) => [name, JSON.parse(manifest(name)).version]));
}
