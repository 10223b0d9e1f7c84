/** Measuring protocol of the desktop bench: each cell is checked, warmed up, and timed in turns. */

import { parityOf } from "./parity.js";

const MOST_AT_ONCE = 4;
// Minimum number of warm-up runs, however long they take.
const LEAST_WARM_UP = 2;

/** Return the warm-up rule in words. */
export function warmUpInWords(plan) {
  return (
    `until the median of ${plan.window} runs is within ${plan.tolerance * 100}% of that of ` +
    `the ${plan.window} before, at least ${plan.warm_up_least_seconds} s, ` +
    `at most ${plan.warm_up_seconds} s`
  );
}

/** Return milliseconds as whole nanoseconds. */
export function nanoseconds(milliseconds) {
  return Math.max(0, Math.round(milliseconds * 1e6));
}

/**
 * Return the smallest observed step of a clock in nanoseconds.
 *
 * Browsers round their clock: 5 µs where the page is isolated, 100 µs or more where it is not.
 */
export function clockResolutionNs(now, steps = 40, reads = 2_000_000) {
  let smallest = Infinity;
  let before = now();
  for (let read = 0, seen = 0; read < reads && seen < steps; read += 1) {
    const after = now();
    if (after > before) {
      smallest = Math.min(smallest, after - before);
      seen += 1;
    }
    before = after;
  }
  return Number.isFinite(smallest) ? nanoseconds(smallest) : 0;
}

/** Return the median of some numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Whether the medians of the last two windows of samples agree. */
export function isStable(samples, { window, tolerance }) {
  if (samples.length < 2 * window) {
    return false;
  }
  const before = median(samples.slice(-2 * window, -window));
  return Math.abs(median(samples.slice(-window)) - before) <= tolerance * before;
}

/** Return a generator of seeded numbers in 0..1 (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Return the items in a random order (Fisher-Yates). */
export function shuffled(items, random) {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** Return groups of cells that take turns: of one size, and few enough for the memory. */
export function groupsOf(cells) {
  const bySize = new Map();
  for (const cell of cells) {
    const size = `${cell.size.height}x${cell.size.width}`;
    bySize.set(size, [...(bySize.get(size) ?? []), cell]);
  }
  return [...bySize.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / MOST_AT_ONCE) }, (_, index) =>
      group.slice(index * MOST_AT_ONCE, (index + 1) * MOST_AT_ONCE),
    ),
  );
}

/** Run a session once; return its outputs and the nanoseconds of each part. */
export async function timed(session, inputs, now) {
  const begin = now();
  session.feed(inputs);
  const fed = now();
  await session.invoke();
  const invoked = now();
  const outputs = session.fetch();
  const end = now();
  return {
    outputs,
    pre: nanoseconds(fed - begin),
    run: nanoseconds(invoked - fed),
    post: nanoseconds(end - invoked),
  };
}

/**
 * Measure cells; return them for the report, in their order.
 *
 * @param cells Cells of the job.
 * @param plan Measuring plan of the job: `PlanFact` of job.py.
 * @param bench Services of the page: `bytes(cell)` of the file, `open(cell, bytes)` → session,
 *   `probe(cell)` → name → tensor, `now()` → milliseconds, `pause()` lets the page breathe, `say(line)`, `paint(outputs, cell)`
 *   → base64 or null.
 */
export async function measure(cells, plan, bench) {
  const random = randomFrom(plan.seed);
  const found = new Map(cells.map((cell) => [cell, startOf(cell)]));
  for (const group of groupsOf(cells)) {
    const sessions = new Map();
    for (const cell of group) {
      await attempt(found.get(cell), async () => {
        const session = await prepared(cell, found.get(cell), plan, bench);
        if (session) {
          sessions.set(cell, session);
        }
      });
    }
    await takeTurns(sessions, found, plan, { ...bench, random });
    for (const session of sessions.values()) {
      session.close();
    }
  }
  return cells.map((cell) => found.get(cell));
}

function startOf(cell) {
  return { subject: cell.subject, runner: "browser", size: cell.size, status: "failed" };
}

/** Record the failure of a cell; the others continue. */
async function attempt(fact, action) {
  try {
    await action();
  } catch (error) {
    const message = String(error?.message ?? error).split("\n")[0].slice(0, 300);
    for (const key of ["rounds_ns", "pre_ns", "post_ns", "warm_up_ns", "first_ns"]) {
      delete fact[key];
    }
    fact.message = message || "the runtime gave no reason";
    fact.status = error?.unavailable ? "unavailable" : statusOf(message);
  }
}

/** Return the status that a runtime's message means. */
export function statusOf(message) {
  return /out of memory|bad_alloc|allocation fail|cannot allocate|cannot enlarge/i.test(message)
    ? "out-of-memory"
    : "failed";
}

/** Load a file twice, check it on its probe, warm it up; return its session, null if it is wrong. */
async function prepared(cell, fact, plan, bench) {
  bench.say(`${cell.subject.path}: loading`);
  await bench.pause();
  const bytes = await bench.bytes(cell);
  const loads = [];
  const load = async () => {
    const begin = bench.now();
    const session = await bench.open(cell, bytes);
    loads.push(nanoseconds(bench.now() - begin));
    return session;
  };
  (await load()).close();
  const session = await load();
  try {
    Object.assign(fact, { effective: session.effective, loads_ns: loads });
    const probe = await bench.probe(cell);
    const inputs = Object.fromEntries(cell.inputs.map(({ name }) => [name, probe.get(name)]));
    const first = await timed(session, inputs, bench.now);
    fact.parity = parityOf(cell, first.outputs, probe);
    if (!(fact.parity.measured_db >= cell.allowed_db)) {
      throw Object.assign(new Error("wrong"), { wrong: true });
    }
    const picture = bench.paint(first.outputs, cell);
    Object.assign(fact, { first_ns: first.run, ...(picture ? { picture } : {}) });
    bench.say(`${cell.subject.path}: warming up`);
    fact.warm_up_ns = await warmUp(session, inputs, plan, bench);
    return Object.assign(session, { inputs });
  } catch (error) {
    session.close();
    if (!error.wrong) {
      throw error;
    }
    const { measured_db: measured, allowed_db: allowed } = fact.parity;
    fact.status = "wrong";
    fact.message = `${measured} dB on the probe, at least ${allowed} dB allowed`;
    return null;
  }
}

async function warmUp(session, inputs, plan, bench) {
  const samples = [];
  const begin = bench.now();
  for (;;) {
    samples.push((await timed(session, inputs, bench.now)).run);
    const seconds = (bench.now() - begin) / 1000;
    const stable = seconds >= plan.warm_up_least_seconds && isStable(samples, plan);
    if (stable || (seconds >= plan.warm_up_seconds && samples.length >= LEAST_WARM_UP)) {
      return samples;
    }
    await bench.pause();
  }
}

async function takeTurns(sessions, found, plan, bench) {
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const cell of shuffled([...sessions.keys()], bench.random)) {
      bench.say(`round ${round + 1} of ${plan.rounds}: ${cell.subject.path}`);
      const fact = found.get(cell);
      await attempt(fact, async () => {
        const samples = await turn(sessions.get(cell), plan, bench);
        fact.rounds_ns = [...(fact.rounds_ns ?? []), samples.map((sample) => sample.run)];
        fact.pre_ns = [...(fact.pre_ns ?? []), ...samples.map((sample) => sample.pre)];
        fact.post_ns = [...(fact.post_ns ?? []), ...samples.map((sample) => sample.post)];
        fact.status = "measured";
      });
      if (fact.status !== "measured") {
        sessions.get(cell).close();
        sessions.delete(cell);
      }
    }
  }
}

/** Return the samples of one turn, of a minimum number and a minimum length. */
async function turn(session, plan, bench) {
  const samples = [];
  await bench.pause();
  for (let settling = 0; settling < plan.settling_runs; settling += 1) {
    await timed(session, session.inputs, bench.now);
  }
  const end = bench.now() + 1000 * plan.seconds;
  while (samples.length < plan.min_samples || bench.now() < end) {
    const { pre, run, post } = await timed(session, session.inputs, bench.now);
    samples.push({ pre, run, post });
  }
  return samples;
}
