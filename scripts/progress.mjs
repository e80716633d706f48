// A progress bar on stderr, where that is a terminal; nothing elsewhere.

const WIDTH = 30;

/** Answers a function to call with the number done so far; it wipes the bar when all is done. */
export function progressBar(label, total, stream = process.stderr) {
  if (!stream.isTTY) return () => {};
  return (done) => {
    if (done >= total) {
      stream.write(`\r${" ".repeat(label.length + WIDTH + 10)}\r`);
      return;
    }
    const filled = Math.round((WIDTH * done) / total);
    const percent = Math.round((100 * done) / total);
    stream.write(`\r${label} ${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ${String(percent).padStart(3)} %`);
  };
}
