import { useState } from "react";
import { useClassifier } from "./use-classifier.js";

/** A file input, and what is in the image. */
export function Classifier() {
  const { status, error, classify } = useClassifier();
  const [answer, setAnswer] = useState({ classes: [] });

  async function choose({ target }) {
    try {
      setAnswer({ classes: await classify(target.files[0]) });
    } catch (failure) {
      setAnswer({ classes: [], error: failure.message });
    }
  }

  return (
    <section>
      <input type="file" accept="image/*" aria-label="An image" disabled={status !== "ready"} onChange={choose} />
      <ol>
        {answer.classes.map(({ label, score }) => (
          <li key={label}>
            {label} {(100 * score).toFixed(1)} %
          </li>
        ))}
      </ol>
      <output>{answer.error ?? error ?? status}</output>
    </section>
  );
}
