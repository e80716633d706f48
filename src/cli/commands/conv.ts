import type { Io } from "../io.js";
export async function conv(_io: Io, _flags: object): Promise<number> {
  return 0;
}
