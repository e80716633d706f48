// What plans have in linear memory beside descriptors and tables: packed weights, weights that are read in place, and the arena. For
// one plan, which all goes with, or for those of one model, one for each set of input shapes.
import { OutOfMemoryError } from "../base/errors.js";
import { Allocator } from "../engine/allocator.js";
import type { Engine } from "../engine/engine.js";

/** Weights as some plans read them. */
export interface Block {
  readonly ptr: number;
  readonly bytes: number;
  /** Nothing is written there yet. */
  isNew: boolean;
  users: number;
}

/** Memory for values and workspace: one run's at a time. Where it grows or goes, plans find out before they run. */
export interface Arena {
  ptr: number;
  bytes: number;
  /** A run in turns is under way in it. */
  isBusy: boolean;
}

const NOWHERE: Arena = { ptr: 0, bytes: 0, isBusy: false };

/** Of one plan. */
export class Shared {
  /** Of the allocator, for all plans. */
  bytes = 0;
  readonly #engine: Engine;
  readonly #blocks = new Map<string, Block>();
  #arena = NOWHERE;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Throws OutOfMemoryError, and nothing is changed then. */
  allocate(bytes: number): number {
    const ptr = this.#engine.heap.allocator.allocate(bytes);
    this.bytes += Allocator.sizeOf(bytes);
    return ptr;
  }

  free(ptr: number, bytes: number): void {
    this.#engine.heap.allocator.free(ptr);
    this.bytes -= Allocator.sizeOf(bytes);
  }

  /** The block of this name, for one user more. Throws as allocate(). */
  take(key: string, bytes: number): Block {
    const block = this.#blocks.get(key) ?? { ptr: this.allocate(bytes), bytes, isNew: true, users: 0 };
    this.#blocks.set(key, block);
    block.users++;
    return block;
  }

  /** For one user less. */
  drop(key: string): void {
    const block = this.#blocks.get(key) as Block;
    if (--block.users > 0) return;
    this.#blocks.delete(key);
    this.free(block.ptr, block.bytes);
  }

  /** An arena of so many bytes or more that no run is in: the one at hand, if it is. Throws as allocate(). */
  arenaFor(bytes: number, own?: Arena): Arena {
    if (own) return own;
    this.#arena = { ...NOWHERE, ptr: bytes > 0 ? this.allocate(bytes) : 0, bytes };
    return this.#arena;
  }

  /** A plan has given back what is its own. */
  leave(): void {
    const { ptr, bytes } = this.#arena;
    if (bytes > 0) this.free(ptr, bytes);
    this.#arena = NOWHERE;
  }
}

/** Of all plans of one model. */
export class SharedByPlans extends Shared {
  readonly #maxBytes: number;
  /** One, and one more for each run that began while others were under way. */
  #arenas: Arena[] = [];

  /** maxBytes: what plans may hold together. */
  constructor(engine: Engine, maxBytes: number) {
    super(engine);
    this.#maxBytes = maxBytes;
  }

  override allocate(bytes: number): number {
    const size = Allocator.sizeOf(bytes);
    const room = this.#maxBytes - this.bytes;
    if (size > room)
      throw new OutOfMemoryError(
        `"maxBytes" expected room for ${size} bytes more beside what the model holds, got ${room}`,
      );
    return super.allocate(bytes);
  }

  /** Other arenas that no run is in are given up. */
  override arenaFor(bytes: number, own: Arena = NOWHERE): Arena {
    if (this.#arenas.length === 1 && this.#arenas[0] === own && !own.isBusy && own.bytes >= bytes) return own;
    const idle = this.#arenas.filter(({ isBusy }) => !isBusy);
    const arena = idle.includes(own) ? own : (idle[0] ?? { ...NOWHERE });
    for (const other of idle) if (other !== arena) this.#resize(other, 0);
    if (arena.bytes < bytes) this.#resize(arena, bytes);
    return arena;
  }

  /** Gives up arenas that are larger than any plan wants. */
  trim(bytes: number): void {
    for (const arena of this.#arenas) if (!arena.isBusy && arena.bytes > bytes) this.#resize(arena, 0);
  }

  #resize(arena: Arena, bytes: number): void {
    const before = arena.bytes;
    if (before > 0) this.free(arena.ptr, before);
    arena.bytes = 0;
    try {
      if (bytes > 0) arena.ptr = this.allocate(bytes);
      arena.bytes = bytes;
    } catch (error) {
      // What was there a moment ago.
      if (before > 0) arena.ptr = this.allocate(before);
      arena.bytes = before;
      throw error;
    } finally {
      this.#arenas = this.#arenas.filter((other) => other !== arena);
      if (arena.bytes > 0) this.#arenas.push(arena);
    }
  }

  /** Arenas are for the plans that are left. */
  override leave(): void {}

  /** Gives all arenas back, also those that runs are in. */
  dispose(): void {
    for (const arena of [...this.#arenas]) this.#resize(arena, 0);
  }
}
