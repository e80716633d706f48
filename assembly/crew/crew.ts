// Threads that compute one list of steps: the calling thread (0) leads, others help with the step at hand. A module of its own, an
// instance a thread over one shared memory; kernels are called through a table, so that their binaries need neither table nor atomics.
//
//   state ▶ +0 ticket, record | +128 sleepers | +256 orders, failed, threads, spins | +384 known, a word a thread | +640 a record
//           | +768 two lines a thread: range, done
//   record ▶ kernel, desc, begin, end, items a unit, units, scratch, bytes of scratch a thread, next
//
// range = tag (8 bits) | next unit (12) | end (12): who adds 1 to the middle owns the unit that it got, of the step whose tag it got.
// done = tag (16) | units (16), written by its thread alone. The leader writes ranges, then the ticket; nobody waits for a thread that
// has taken nothing. What a range says goes before what the record says: the record may be of a later step.
//
// known = the orders that a thread inside serve() has carried out (its packs), 0 outside: who does not know all orders takes nothing,
// and while one inside does not, the leader computes alone.
const TICKET: usize = 0;
const RECORD: usize = 4;
const SLEEPERS: usize = 128;
const ORDERS: usize = 256;
const FAILED: usize = 260;
const THREADS: usize = 264;
const SPINS: usize = 268;
const KNOWN: usize = 384;
const RANGES: usize = 768;
const DONE: usize = 896;

/** Most times that the leader looks whether others are done before it answers that they are not; naps of 50 µs where it may wait. */
const LOOKS: i32 = 20000;
const NAPS: i32 = 40;

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

// @ts-ignore: decorator
@inline
function rangeOf(state: usize, thread: i32): usize {
  return state + RANGES + (<usize>thread << 8);
}

// @ts-ignore: decorator
@inline
function doneOf(state: usize, thread: i32): usize {
  return state + DONE + (<usize>thread << 8);
}

function call(step: Step, begin: i32, end: i32, thread: i32): void {
  call_indirect<void>(step.kernel, step.desc, begin, end, step.scratch + <usize>(thread * step.stride));
}

/** Takes units until no range has any of the step at hand. */
function help(state: usize, thread: i32): void {
  const threads = load<i32>(state, THREADS);
  let from = thread;
  for (let tried = 0; tried < threads; ) {
    const range = rangeOf(state, from);
    // A look first, but at one's own: adding would take the line away from its owner.
    let v = from == thread ? 0 : atomic.load<i32>(range);
    if (from == thread || ((v >> 12) & 0xfff) < (v & 0xfff)) v = atomic.add<i32>(range, 0x1000);
    const index = (v >> 12) & 0xfff;
    if (index >= (v & 0xfff)) {
      if (++from == threads) from = 0;
      tried++;
      continue;
    }
    // The unit is ours, of the step with this tag, which may be newer than the one we came for: its ticket is on its way.
    let ticket: i32;
    do {
      ticket = atomic.load<i32>(state, TICKET);
    } while ((ticket & 0xff) != v >>> 24);
    const step = changetype<Step>(<usize>load<u32>(state, RECORD));
    const begin = step.begin + index * step.unit;
    const end = begin + step.unit;
    call(step, begin, end < step.end ? end : step.end, thread);
    const at = doneOf(state, thread), done = load<i32>(at), tag = ticket << 16;
    atomic.store<i32>(at, (done & 0xffff0000) == tag ? done + 1 : tag | 1);
    tried = 0;
  }
}

/** What a worker does until there are other orders than those that it knows. */
export function serve(state: usize, thread: i32, known: i32): void {
  const own = state + KNOWN + (<usize>thread << 2);
  // Before orders are looked at: the leader gives new ones, then looks who is inside.
  atomic.store<i32>(own, known);
  let idle = 0;
  let last = ~atomic.load<i32>(state, TICKET);
  while (atomic.load<i32>(state, ORDERS) == known) {
    const ticket = atomic.load<i32>(state, TICKET);
    if (ticket != last) {
      help(state, thread);
      last = ticket;
      idle = 0;
    } else if (++idle > load<i32>(state, SPINS)) {
      atomic.add<i32>(state, 1, SLEEPERS);
      atomic.wait<i32>(state + TICKET, ticket, -1);
      atomic.sub<i32>(state, 1, SLEEPERS);
      idle = 0;
    }
  }
  atomic.store<i32>(own, 0);
}

/** Publishes a step to those inside, and helps; false where there is nobody, or somebody who does not know all orders. */
function publish(state: usize, step: Step): bool {
  const threads = load<i32>(state, THREADS), orders = load<i32>(state, ORDERS);
  let inside: u64 = 1;
  for (let t = 1; t < threads; t++) {
    const known = atomic.load<i32>(state + KNOWN + (<usize>t << 2));
    if (known == orders) inside |= (<u64>1) << t;
    else if (known) return false;
  }
  const shares = <i32>popcnt<u64>(inside);
  if (shares == 1) return false;
  const ticket = load<i32>(state, TICKET) + 1, units = step.units;
  store<u32>(state, <u32>changetype<usize>(step), RECORD);
  for (let t = 0, share = 0, from = 0; t < threads; t++) {
    // Tags come again after 65,536 steps: a count that old is no count.
    if (!(ticket & 0xffff)) atomic.store<i32>(doneOf(state, t), 0);
    if ((inside >> t) & 1) share++;
    const to = (units * share) / shares;
    store<i32>(rangeOf(state, t), (ticket << 24) | (from << 12) | to);
    from = to;
  }
  atomic.store<i32>(state, ticket, TICKET);
  if (atomic.load<i32>(state, SLEEPERS)) atomic.notify(state + TICKET, units - 1);
  help(state, 0);
  return true;
}

/** Whether all units are done, now or after a while. */
function isDone(state: usize, units: i32, mayWait: i32): bool {
  const threads = load<i32>(state, THREADS), tag = load<i32>(state, TICKET) & 0xffff;
  for (let look = mayWait ? -NAPS : 0; look < LOOKS; look++) {
    let sum = 0;
    for (let t = 0; t < threads; t++) {
      const done = atomic.load<i32>(doneOf(state, t));
      if (done >>> 16 == tag) sum += done & 0xffff;
    }
    if (sum == units) return true;
    if (atomic.load<i32>(state, FAILED)) break;
    if (look >= LOOKS - NAPS && mayWait) atomic.wait<i32>(state + FAILED, 0, 50000);
  }
  return false;
}

/**
 * The steps from `at` to `last`. Answers 0, or the step that others have not done after a while, to be called with again, `again`
 * set; so that whoever leads may look after them, or do something else.
 */
export function run(state: usize, at: usize, last: usize, mayWait: i32, again: i32): usize {
  while (true) {
    const step = changetype<Step>(at);
    if (!again && (step.units == 1 || !publish(state, step))) call(step, step.begin, step.end, 0);
    else if (!isDone(state, step.units, mayWait)) return at;
    if (at == last) return 0;
    at = step.next;
    again = 0;
  }
}

/** Orders for everybody: whoever is inside comes out. Only while no step is under way: the ticket is the leader's. */
export function order(state: usize, orders: i32): void {
  atomic.store<i32>(state, orders, ORDERS);
  atomic.store<i32>(state, load<i32>(state, TICKET) + 1, TICKET);
  atomic.notify(state + TICKET);
}

/** Before anything else: idle threads look so often before they sleep. */
export function open(state: usize, threads: i32, spins: i32): void {
  store<i32>(state, threads, THREADS);
  store<i32>(state, spins, SPINS);
}

/** A thread is gone, while no step was under way. */
export function leave(state: usize, thread: i32): void {
  atomic.store<i32>(state + KNOWN + (<usize>thread << 2), 0);
}

/** Something went wrong in a thread that had taken a unit. */
export function fail(state: usize): void {
  atomic.store<i32>(state, 1, FAILED);
  atomic.notify(state + FAILED);
}
