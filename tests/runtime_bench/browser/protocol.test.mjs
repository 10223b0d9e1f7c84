import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clockResolutionNs, groupsOf, isStable, measure, median, nanoseconds, randomFrom, shuffled,
  statusOf, warmUpInWords,
} from "../../../runtime_bench/runners/browser/page/protocol.js";

const PLAN = {
  rounds: 3, seconds: 0.01, min_samples: 2, settling_runs: 2, window: 5, tolerance: 0.03,
  warm_up_least_seconds: 0.1, warm_up_seconds: 1, seed: 7,
};
const RULE = { window: 5, tolerance: 0.03 };

/** A bench whose clock moves only by what the scripted files take. */
class FakeBench {
  constructor(files) {
    Object.assign(this, { files, time: 0, runs: [], open_count: 0, said: [] });
    this.now = () => this.time;
    this.bytes = async () => new ArrayBuffer(4);
    this.pause = async () => undefined;
    this.say = (line) => this.said.push(line);
    this.paint = () => "cGljdHVyZQ==";
    this.probe = async () =>
      new Map([
        ["content", { shape: [1], data: new Float32Array([0.5]) }],
        ["image", { shape: [1], data: new Float32Array([0.25]) }],
      ]);
  }

  open = async (cell) => {
    const file = this.files[cell.subject.path];
    if (file.refuses) {
      throw file.refuses;
    }
    this.time += 20;
    this.open_count += 1;
    let run = 0;
    return {
      effective: { backend: "fake" },
      feed: ({ content }) => {
        assert.equal(content.data[0], 0.5);
        this.time += 1;
      },
      invoke: async () => {
        this.runs.push(cell.subject.path);
        this.time += run === 0 ? 50 : (file.takes ?? 4);
        run += 1;
        if (run > (file.breaks ?? Infinity)) {
          throw new Error("device lost\nmore");
        }
      },
      fetch: () => {
        this.time += 0.5;
        return { image: { shape: [1], data: new Float32Array([file.gives ?? 0.25]) } };
      },
      close: () => {
        this.open_count -= 1;
      },
    };
  };
}

function cellsOf(paths, size = { height: 64, width: 96 }) {
  return paths.map((path) => ({
    subject: { path },
    size,
    inputs: [{ name: "content" }],
    outputs: [{ name: "image", kind: "image" }],
    allowed_db: 50,
  }));
}

test("every cell is proven, warmed, and timed in rounds", async () => {
  const bench = new FakeBench({ a: { takes: 4 }, b: { takes: 7 } });
  const [a, b] = await measure(cellsOf(["a", "b"]), PLAN, bench);
  assert.equal(a.status, "measured");
  assert.equal(a.parity.measured_db, 200);
  assert.deepEqual(a.loads_ns, [20e6, 20e6]);
  assert.equal(a.first_ns, 50e6);
  assert.deepEqual(new Set(a.warm_up_ns), new Set([4e6]));
  // A run takes 5.5 ms of the clock: 0.1 s of warming up are 19 of them.
  assert.equal(a.warm_up_ns.length, 19);
  assert.deepEqual(a.rounds_ns, [[4e6, 4e6], [4e6, 4e6], [4e6, 4e6]]);
  assert.deepEqual(b.rounds_ns.flat(), Array(6).fill(7e6));
  assert.deepEqual(a.pre_ns, Array(6).fill(1e6));
  assert.deepEqual(a.post_ns, Array(6).fill(0.5e6));
  assert.deepEqual(a.effective, { backend: "fake" });
  assert.equal(a.picture, "cGljdHVyZQ==");
  assert.equal(bench.open_count, 0);
});

test("a turn lasts as long as it should, after runs that are not kept", async () => {
  const bench = new FakeBench({ a: {} });
  const [fact] = await measure(cellsOf(["a"]), { ...PLAN, rounds: 1, seconds: 0.05 }, bench);
  // Ten runs of 5.5 ms of the clock.
  assert.equal(fact.rounds_ns[0].length, 10);
  assert.equal(bench.runs.length, 1 + fact.warm_up_ns.length + PLAN.settling_runs + 10);
});

test("no statistic is sent", async () => {
  const [fact] = await measure(cellsOf(["a"]), PLAN, new FakeBench({ a: {} }));
  const known = [
    "subject", "runner", "size", "status", "effective", "loads_ns", "parity", "first_ns",
    "picture", "warm_up_ns", "rounds_ns", "pre_ns", "post_ns",
  ];
  assert.deepEqual(Object.keys(fact).sort(), known.sort());
});

test("cells take turns, in an order of its own each round, the same for a seed", async () => {
  const files = { a: {}, b: {}, c: {} };
  const order = async (seed) => {
    const bench = new FakeBench(files);
    await measure(cellsOf(Object.keys(files)), { ...PLAN, rounds: 6, seed }, bench);
    return bench.said.filter((line) => line.startsWith("round")).join(" ").replace(/round . of 6: /g, "");
  };
  const first = await order(7);
  assert.equal(first, await order(7));
  assert.notEqual(first, await order(8));
  const rounds = first.split(" ").join("").match(/.../g);
  assert.equal(rounds.length, 6);
  assert.ok(rounds.every((round) => [...round].sort().join("") === "abc"));
  assert.ok(new Set(rounds).size > 1);
});

test("a file that fails its probe gets no latency", async () => {
  const bench = new FakeBench({ a: { gives: 0.9 }, b: {} });
  const [a, b] = await measure(cellsOf(["a", "b"]), PLAN, bench);
  assert.equal(a.status, "wrong");
  assert.equal(a.message, "3.74 dB on the probe, at least 50 dB allowed");
  assert.equal(a.parity.measured_db, 3.74);
  for (const key of ["first_ns", "warm_up_ns", "rounds_ns", "picture"]) {
    assert.ok(!(key in a), key);
  }
  assert.equal(b.status, "measured");
  assert.equal(bench.open_count, 0);
});

test("an output that is no number fails the probe", async () => {
  const [fact] = await measure(cellsOf(["a"]), PLAN, new FakeBench({ a: { gives: NaN } }));
  assert.equal(fact.status, "wrong");
});

test("what breaks is named, keeps no samples, and stops nothing else", async () => {
  const refuses = Object.assign(new Error("int8 inputs"), { unavailable: true });
  const bench = new FakeBench({
    a: { breaks: 25 }, b: {}, c: { refuses }, d: { refuses: new Error("std::bad_alloc") },
  });
  const found = await measure(cellsOf(["a", "b", "c", "d"]), PLAN, bench);
  assert.deepEqual(found.map(({ status }) => status), [
    "failed", "measured", "unavailable", "out-of-memory",
  ]);
  assert.equal(found[0].message, "device lost");
  assert.ok(!("rounds_ns" in found[0]) && !("first_ns" in found[0]));
  assert.equal(found[2].message, "int8 inputs");
  assert.equal(bench.open_count, 0);
});

test("warming up ends at the limit where it never becomes stable", async () => {
  const bench = new FakeBench({ a: {} });
  const open = bench.open;
  bench.open = async (cell) => {
    const session = await open(cell);
    const invoke = session.invoke;
    return { ...session, invoke: async () => { await invoke(); bench.time += bench.runs.length ** 2; } };
  };
  const [fact] = await measure(cellsOf(["a"]), { ...PLAN, warm_up_seconds: 0.001 }, bench);
  assert.equal(fact.status, "measured");
  assert.equal(fact.warm_up_ns.length, 2);
});

test("groups are of one size and at most four", () => {
  const large = cellsOf(["x"], { height: 128, width: 128 });
  const groups = groupsOf([...cellsOf([..."abcde"]), ...large]);
  assert.deepEqual(groups.map((group) => group.map(({ subject }) => subject.path).join("")), [
    "abcd", "e", "x",
  ]);
});

test("the smallest step of the clock is its resolution", () => {
  let reads = 0;
  const coarse = () => Math.floor((reads += 1) / 10) * 0.1;
  assert.equal(clockResolutionNs(coarse), 100_000);
  assert.equal(clockResolutionNs(() => 1, 40, 1000), 0);
});

test("two windows must agree", () => {
  assert.ok(!isStable([10, 10, 10, 10, 10, 10, 10, 10, 10], RULE));
  assert.ok(isStable(Array(10).fill(10), RULE));
  assert.ok(isStable([...Array(5).fill(100), ...Array(5).fill(103)], RULE));
  assert.ok(!isStable([...Array(5).fill(100), ...Array(5).fill(104)], RULE));
  assert.match(warmUpInWords(PLAN), /median of 5 runs is within 3% .* at most 1 s$/);
});

test("small parts", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(nanoseconds(0.0000049), 5);
  assert.equal(nanoseconds(-0.1), 0);
  const random = randomFrom(1);
  assert.ok([random(), random(), random()].every((value) => value >= 0 && value < 1));
  assert.deepEqual(shuffled([1, 2, 3, 4], randomFrom(3)).sort(), [1, 2, 3, 4]);
  assert.equal(statusOf("Out of memory"), "out-of-memory");
  assert.equal(statusOf("no kernel for Conv"), "failed");
});
