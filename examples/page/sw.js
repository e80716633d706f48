// After the first visit the page needs no network: its files are kept, and fetched anew when another build of it is there. Names have
// a file's bytes in them: a tab of the build before goes on with what is kept of that one.
const KEPT = "lanewise-FILES_HASH";
const FILES = FILES_LIST;
const OF_ONE_BUILD = /-\w{8}\.\w+$/;

addEventListener("install", (event) => {
  const anew = FILES.map((file) => new Request(file, { cache: "no-cache" })); // not what the browser has of another build
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(anew)));
  skipWaiting();
});

addEventListener("activate", (event) => {
  const old = async () => {
    const others = (await caches.keys()).filter((name) => name.startsWith("lanewise-") && name !== KEPT); // the oldest first
    for (const name of others.slice(0, -1)) await caches.delete(name);
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
    const kept =
      (await cache.match(request, { ignoreSearch: true })) ?? (OF_ONE_BUILD.test(file) && (await caches.match(file)));
    if (kept) return kept;
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  };
  event.respondWith(answer());
});
