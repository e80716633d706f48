// Threads that compute one list of steps: the calling thread (0) leads, others help with the step at hand. A module of its own, an
// instance a thread over one shared memory; kernels are called through a table, so that their binaries need neither table nor atomics.
//
//   1024 ▶ +0 ticket, record | +128 sleepers | +256 orders, failed, threads, spins | +384 known, a word a thread | +640 a record
//          | +768 two lines a thread: range, done
//   record ▶ kernel, desc, begin, end, items a unit, units, scratch, bytes of scratch a thread, next
//
// range = tag (8 bits) | next unit (12) | end (12): who adds 1 to the middle owns the unit that it got, of the step whose tag it got.
// done = tag (16) | units (16), written by its thread alone. The leader writes ranges, then the ticket; nobody waits for a thread that
// has taken nothing. What a range says goes before what the record says: the record may be of a later step.
//
// known = the orders that a thread inside serve() has carried out (its packs), 0 outside: who does not know all orders takes nothing,
// and while one inside does not, the leader computes alone. Orders, failed, threads and spins are JavaScript's to write (src/threads).
const TICKET: usize = 1024;
const RECORD: usize = 1028;
const SLEEPERS: usize = 1152;
const ORDERS: usize = 1280;
const FAILED: usize = 1284;
const THREADS: usize = 1288;
const SPINS: usize = 1292;
const KNOWN: usize = 1408;
const RANGES: usize = 1792;
const DONE: usize = 1920;

/** Most times that the leader looks whether others are done before it answers that they are not. */
const LOOKS: i32 = 20000;
const NAP_NS: i64 = 50000;

@unmanaged class Step {
  kernel: i32;
  desc: usize;
  begin: i32;
  end: i32;
  unit: i32;
  units: i32;
  scratch: usize;
  stride: i32;
  next: usize;
}

function call(step: Step, begin: i32, end: i32, thread: i32): void {
  call_indirect<void>(step.kernel, step.desc, begin, end, step.scratch + <usize>(thread * step.stride));
}

/** Takes units until no range has any of the step at hand. */
function help(thread: i32): void {
  const threads = load<i32>(THREADS);
  // Round by round, until a whole one has brought nothing.
  for (let from = thread, end = thread + threads; from < end; ) {
    const line = from % threads << 8;
    // A look first, but at one's own: adding would take the line away from its owner.
    let v = from == thread ? 1 : atomic.load<i32>(line, RANGES);
    if (((v >> 12) & 0xfff) < (v & 0xfff)) v = atomic.add<i32>(line, 0x1000, RANGES);
    const index = (v >> 12) & 0xfff;
    if (index >= (v & 0xfff)) {
      from++;
      continue;
    }
    // The unit is ours, of the step with this tag, which may be newer than the one we came for: its ticket is on its way.
    let ticket: i32;
    do {
      ticket = atomic.load<i32>(TICKET);
    } while ((ticket & 0xff) != v >>> 24);
    const step = changetype<Step>(load<usize>(RECORD));
    const begin = step.begin + index * step.unit;
    call(step, begin, min(begin + step.unit, step.end), thread);
    ticket <<= 16;
    const done = load<i32>(thread << 8, DONE);
    atomic.store<i32>(thread << 8, (<u32>(done - ticket) < 0x10000 ? done : ticket) + 1, DONE);
    end = from + threads;
  }
}

/** What a worker does until there are other orders than those that it knows. */
export function serve(thread: i32, known: i32): void {
  // Before orders are looked at: the leader gives new ones, then looks who is inside.
  atomic.store<i32>(thread << 2, known, KNOWN);
  let idle = 0;
  let last = -1;
  while (atomic.load<i32>(ORDERS) == known) {
    const ticket = atomic.load<i32>(TICKET);
    if (ticket != last) {
      help(thread);
      last = ticket;
      idle = 0;
    } else if (++idle > load<i32>(SPINS)) {
      atomic.add<i32>(SLEEPERS, 1);
      // Whoever wakes it counts it out.
      if (atomic.wait<i32>(TICKET, ticket, -1)) atomic.sub<i32>(SLEEPERS, 1);
    }
  }
  atomic.store<i32>(thread << 2, 0, KNOWN);
}

/** Publishes a step to those inside, and helps; false where there is nobody, or somebody who does not know all orders. */
function publish(step: Step): bool {
  const threads = load<i32>(THREADS), orders = load<i32>(ORDERS);
  let inside: u64 = 1, shares = 1;
  for (let t = 1; t < threads; t++) {
    const known = atomic.load<i32>(t << 2, KNOWN);
    if (!known) continue;
    if (known != orders) return false;
    inside |= (<u64>1) << t;
    shares++;
  }
  if (shares == 1) return false;
  const ticket = load<i32>(TICKET) + 1, units = step.units;
  store<usize>(RECORD, changetype<usize>(step));
  for (let t = 0, share = 0, from = 0; t < threads; t++) {
    // Tags come again after 65,536 steps: a count that old is no count.
    if (!(ticket & 0xffff)) store<i32>(t << 8, 0, DONE);
    share += <i32>((inside >> t) & 1);
    const to = (units * share) / shares;
    store<i32>(t << 8, (ticket << 24) | (from << 12) | to, RANGES);
    from = to;
  }
  atomic.store<i32>(TICKET, ticket);
  // Once each: who is on its way out of wait() needs the lock that notify() takes.
  if (atomic.load<i32>(SLEEPERS)) atomic.sub<i32>(SLEEPERS, atomic.notify(TICKET, units - 1));
  help(0);
  return true;
}

/** Whether all units are done, now or after a while. */
function isDone(units: i32, naps: i32): bool {
  const threads = load<i32>(THREADS), none = load<i32>(TICKET) << 16;
  for (let look = 0; look < LOOKS; look++) {
    let sum = 0;
    for (let t = 0; t < threads; t++) {
      const done = atomic.load<i32>(t << 8, DONE) - none;
      if (<u32>done < 0x10000) sum += done; // else of another step
    }
    if (sum == units) return true;
    if (atomic.load<i32>(FAILED)) break;
    if (look >= LOOKS - naps) atomic.wait<i32>(FAILED, 0, NAP_NS);
  }
  return false;
}

/**
 * The steps from `at` to `last`. Answers 0, or the step that others have not done after a while, to be called with again, `again`
 * set; so that whoever leads may look after them, or do something else. naps: how often it sleeps before that, where it may.
 */
export function run(at: usize, last: usize, naps: i32, again: i32): usize {
  while (true) {
    const step = changetype<Step>(at);
    if (!again && (step.units == 1 || !publish(step))) call(step, step.begin, step.end, 0);
    else if (!isDone(step.units, naps)) return at;
    if (at == last) return 0;
    at = step.next;
    again = 0;
  }
}
