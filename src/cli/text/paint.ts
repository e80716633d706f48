// Colours of a terminal.

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;

export type Colour = keyof typeof CODES;

/** Text in a colour, or as it is where there are none. */
export type Paint = (colour: Colour, text: string) => string;

export const paintOf =
  (isColoured: boolean): Paint =>
  (colour, text) =>
    isColoured && text ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
