// deno serve --allow-read server.js; with --parallel an isolate a core, each with a runtime of its own.
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
