// After the first visit the page needs no network: its files are kept, and fetched anew when another build of it is there.
const KEPT = "lanewise-FILES_HASH";
const FILES = FILES_LIST;

addEventListener("install", (event) => {
  const anew = FILES.map((file) => new Request(file, { cache: "no-cache" })); // not what the browser has of another build
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(anew)));
  skipWaiting();
});

addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys())
      if (name.startsWith("lanewise-") && name !== KEPT) await caches.delete(name);
  };
  event.waitUntil(old().then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  // The page's own lie beside this file; docs/ and api/ below change without it.
  const [folder, file] = [new URL("./", location.href).href, request.url.split(/[?#]/)[0]];
  if (request.method !== "GET" || !file.startsWith(folder) || file.slice(folder.length).includes("/")) return;
  const answer = async () => {
    const cache = await caches.open(KEPT);
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  };
  event.respondWith(answer());
});
