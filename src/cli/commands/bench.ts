import type { Io } from "../io.js";
export async function bench(_io: Io, _file: string, _flags: object): Promise<number> {
  return 0;
}
