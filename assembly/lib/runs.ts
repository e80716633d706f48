// Operands of runs of elements as vectors.

/** Elements that lie apart, brought together in `room`. */
function collect(ptr: usize, step: usize, cols: i32, room: usize): void {
  const end = room + (<usize>cols << 2);
  for (; room < end; room += 4) {
    store<u32>(room, load<u32>(ptr));
    ptr += step;
  }
}

/** An operand of a run as vectors: where it lies, or in `room`. */
@inline export function dense(ptr: usize, step: usize, cols: i32, room: usize): usize {
  if (step == 4) return ptr;
  if (step) collect(ptr, step, cols, room);
  else v128.store(room, v128.load32_splat(ptr));
  return room;
}
