// Sends an image to the service worker. Messages are JSON: so the image goes as a data URL.
const status = document.querySelector("output");

const dataUrl = (file) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });

document.querySelector("input").addEventListener("change", async ({ target }) => {
  status.textContent = "";
  const { classes = [], error } = await chrome.runtime.sendMessage({ image: await dataUrl(target.files[0]) });
  document
    .querySelector("ol")
    .replaceChildren(
      ...classes.map(({ label, score }) =>
        Object.assign(document.createElement("li"), { textContent: `${label} ${(100 * score).toFixed(1)} %` }),
      ),
    );
  status.textContent = error ?? "done";
});
