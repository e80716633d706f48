import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Classifier } from "./Classifier.jsx";

function App() {
  const [isShown, setShown] = useState(true);
  return (
    <main>
      <button type="button" onClick={() => setShown(!isShown)}>
        {isShown ? "Hide" : "Show"}
      </button>
      {isShown && <Classifier />}
    </main>
  );
}

createRoot(document.querySelector("#root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
