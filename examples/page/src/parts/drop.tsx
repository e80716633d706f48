// A place to drop a file on, or to choose one.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

/** Where a file hovers. */
const hovered = signal("");

// A file that misses its place is not opened in the page's stead.
for (const kind of ["dragover", "drop"] as const) addEventListener(kind, (event) => event.preventDefault());

export function Drop({ name, accept, take, children }: Props) {
  const [id] = useState(() => `file-${name}`);
  return (
    <label
      for={id}
      class={`drop ${hovered.value === name ? "over" : ""}`}
      onDragOver={(event: DragEvent) => {
        event.preventDefault();
        hovered.value = name;
      }}
      onDragLeave={() => {
        hovered.value = "";
      }}
      onDrop={(event: DragEvent) => {
        event.preventDefault();
        hovered.value = "";
        const [file] = event.dataTransfer?.files ?? [];
        if (file) take(file);
      }}
    >
      <input
        id={id}
        type="file"
        accept={accept}
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          if (file) take(file);
          currentTarget.value = "";
        }}
      />
      {children}
    </label>
  );
}

interface Props {
  readonly name: string;
  readonly accept: string;
  readonly take: (file: File) => void;
  readonly children: ComponentChildren;
}
