// Cases that drive browsers and other processes: one that fails is tried once more, from the start, since a browser that dies, or a port
// that somebody took meanwhile, is no defect of ours. What happened at first is said; what fails twice has failed.

/** What can't be had here. */
export class Skip extends Error {}

async function once(attempt, messageOf) {
  try {
    const { problems, ...facts } = await attempt();
    return problems.length > 0 ? { status: "FAIL", note: problems.join("; "), facts } : { status: "ok", facts };
  } catch (error) {
    return {
      status: error instanceof Skip ? "SKIP" : "FAIL",
      note: error instanceof Skip ? error.message : messageOf(error),
      facts: {},
    };
  }
}

/**
 * attempt() answers { problems, … } with a sentence for each, or throws; Skip, where it can't be had. renew(): ends what the first one had,
 * before the second one. Answers { status, note, facts }: "ok", "FAIL" or "SKIP"; what is to be said of that; and what else attempt() answered.
 */
export async function tried(attempt, { renew = () => {}, messageOf = (error) => error.message } = {}) {
  const first = await once(attempt, messageOf);
  if (first.status !== "FAIL") return first;
  const [line] = first.note.split("\n"); // browsers log pages
  await renew();
  const second = await once(attempt, messageOf);
  if (second.status === "ok") return { ...second, note: `at the second try: ${line}` };
  // What can't be had any more has failed.
  return { status: "FAIL", note: `${second.note}; at the first try: ${line}`, facts: second.facts };
}
