// deno run --allow-read --allow-net server.js 8000, or `deno serve --parallel --allow-read server.js`: an isolate a core.
import { createClassifier } from "./classify.js";

const MOST_BYTES = 8e6;
const classify = await createClassifier();

async function answer(request) {
  if (request.method !== "POST") return Response.json({ error: "POST an image" }, { status: 405 });
  if (Number(request.headers.get("content-length") ?? 0) > MOST_BYTES)
    return Response.json({ error: `expected at most ${MOST_BYTES} bytes` }, { status: 413 });
  const bytes = new Uint8Array(await request.arrayBuffer());
  try {
    return Response.json({ classes: classify(bytes) });
  } catch (error) {
    return Response.json({ error: `expected a JPEG or a PNG: ${error.message}` }, { status: 400 });
  }
}

export default { fetch: answer };

if (import.meta.main) Deno.serve({ port: Number(Deno.args[0] ?? 8000) }, answer);
