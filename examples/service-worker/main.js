// The page knows nothing of networks: it posts an image to /classify, which the service worker answers, with or without a net.
const status = document.querySelector("output");

await navigator.serviceWorker.register("service-worker.js");
await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller)
  await new Promise((done) => {
    navigator.serviceWorker.addEventListener("controllerchange", done, { once: true });
  });

document.querySelector("input").addEventListener("change", async ({ target }) => {
  status.textContent = "";
  const response = await fetch("classify", { method: "POST", body: target.files[0] });
  const { classes = [], error } = await response.json();
  document
    .querySelector("ol")
    .replaceChildren(
      ...classes.map(({ label, score }) =>
        Object.assign(document.createElement("li"), { textContent: `${label} ${(100 * score).toFixed(1)} %` }),
      ),
    );
  status.textContent = error ?? "done";
});
status.textContent = "ready";
