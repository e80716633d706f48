// Next with Turbopack: one build has a route in Node, a route at the edge and a client page.
import { freePort, project, run, serve, versionOf } from "../places.mjs";
import { USE } from "./cases.mjs";

const ROUTE = `import { ask } from "../use.js";
export async function GET(request) {
  const options = JSON.parse(new URL(request.url).searchParams.get("options"));
  return Response.json(await ask(options));
}
export const dynamic = "force-dynamic";
`;
const FILES = {
  "app/use.js": USE,
  "app/layout.js":
    "export default function Layout({ children }) {\n  return <html><body>{children}</body></html>;\n}\n",
  "app/page.js": `"use client";
import { useEffect } from "react";
import { ask } from "./use.js";
export default function Page() {
  useEffect(() => { globalThis.app = ask; }, []);
  return <p>page</p>;
}
`,
  "app/node/route.js": ROUTE,
  "app/edge/route.js": `${ROUTE}export const runtime = "edge";\n`,
};

/** Places of one app; open, bitsOf, binariesIn, sizeOf: see run.mjs. */
export function next({ open, bitsOf, binariesIn, sizeOf }) {
  let started;
  const app = async () => {
    started ??= (async () => {
      const folder = project("next", { packages: ["next", "react", "react-dom"], files: FILES });
      const program = `${folder}/node_modules/.bin/next`;
      const env = { NEXT_TELEMETRY_DISABLED: "1", CI: "1" };
      run(program, ["build"], { cwd: folder, env: { ...process.env, ...env } });
      const port = await freePort();
      const through = `http://localhost:${port}`;
      await serve(program, ["start", "-p", String(port)], { cwd: folder, url: through, env });
      return { through, version: versionOf(folder, "next") };
    })().catch((error) => {
      started = undefined; // built anew at the next try
      throw error;
    });
    return started;
  };
  const route = (path, wanted) => async () => {
    const { through, version } = await app();
    const asked = async (options) => {
      const response = await fetch(`${through}/${path}?options=${encodeURIComponent(JSON.stringify(options))}`);
      if (!response.ok) throw new Error(`status ${response.status}: ${(await response.text()).slice(0, 300)}`);
      return response.json();
    };
    const auto = await asked({ starts: 11 });
    const simd = await asked({ variant: "simd" });
    const { variant, reason } = auto.report;
    const bits = simd.hash === (await bitsOf()).simd;
    const problems = bits ? [] : ["simd has other bits than the files as they stand"];
    if (!wanted.test(`${variant}: ${reason}`)) problems.push(`expected ${wanted}, got ${variant} (${reason})`);
    return { problems, version, variant, reason, threads: 1, bits, ms: auto.ms };
  };
  const client = async () => {
    const { through, version } = await app();
    const html = await (await fetch(through)).text();
    const bits = await bitsOf();
    const { hash, report, files, ms } = await open({ html, through }, { starts: 11 });
    const got = binariesIn(files, bits.dist);
    const { variant, reason } = report;
    const same = hash === bits[variant];
    const problems = same ? [] : [`${variant} has other bits than the files as they stand`];
    if (got.join() !== variant) problems.push(`expected the binary ${variant} alone, got ${got}`);
    const note = `${files.size} files, ${(sizeOf(files) / 1024).toFixed(1)} KB gzip with React, one binary`;
    return { problems, version, variant, reason, threads: 1, bits: same, ms, note };
  };
  return [
    { name: "Next (Turbopack), a route in Node", check: route("node", /^(simd|relaxed): the engine/) },
    { name: "Next (Turbopack), an edge route", check: route("edge", /^simd: edge workers get the simd binary alone$/) },
    { name: "Next (Turbopack), a client page", check: client },
  ];
}
