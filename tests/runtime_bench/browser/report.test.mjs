import assert from "node:assert/strict";
import { test } from "node:test";

import { milliseconds, scaleOf, thinned, ticksTo, upperEnd } from "../../../runtime_bench/runners/browser/page/chart.js";
import {
  browserFrom, machineFrom, reportOf, requestedOf, stateFrom, systemFrom,
} from "../../../runtime_bench/runners/browser/page/report.js";

const AGENTS = {
  pixel: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36",
  iphone: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  mac: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
  firefox: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  edge: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.3",
};

test("systems and browsers are read from user agents", () => {
  assert.deepEqual(
    Object.values(AGENTS).map(systemFrom),
    ["Android 10", "iOS 18.5", "macOS 10.15.7", "Linux", "Windows 10.0"],
  );
  assert.deepEqual(
    Object.values(AGENTS).map((agent) => browserFrom(agent).join(" ")),
    ["Chrome 150.0.0.0", "Safari 18.5", "Safari 18.5", "Firefox 140.0", "Edge 150.0.3"],
  );
  assert.equal(systemFrom("curl"), "unknown");
  assert.deepEqual(browserFrom("curl"), ["browser", "unknown"]);
});

const BARE = { userAgent: AGENTS.iphone, hints: {}, adapter: null, isolated: false, secure: false };

test("a browser that tells little gives a machine all the same", () => {
  const machine = machineFrom(BARE, { "onnxruntime-web": "1.30.0" });
  assert.deepEqual(machine, {
    device: "iPhone", os: "iOS 18.5", processor: "unknown", cores: 0, memory_bytes: 0,
    accelerators: [], features: ["wasm-simd"],
    versions: { Safari: "18.5", "onnxruntime-web": "1.30.0" },
  });
});

test("client hints and the adapter say more than the user agent", () => {
  const machine = machineFrom({
    ...BARE, userAgent: AGENTS.pixel, isolated: true, secure: true, hardwareConcurrency: 9,
    deviceMemory: 8,
    hints: {
      platform: "Android", platformVersion: "16.0.0", model: "Pixel 9", architecture: "arm",
      bitness: "64", uaFullVersion: "150.0.7871.100",
    },
    adapter: { vendor: "arm", architecture: "valhall", description: "" },
  }, {});
  assert.equal(machine.device, "Pixel 9");
  assert.equal(machine.os, "Android 16.0.0");
  assert.equal(machine.processor, "arm 64");
  assert.equal(machine.memory_bytes, 8 * 2 ** 30);
  assert.deepEqual(machine.accelerators, ["arm valhall"]);
  assert.deepEqual(machine.features, ["wasm-simd", "cross-origin-isolated", "secure-context", "webgpu"]);
  assert.deepEqual(machine.versions, { Chrome: "150.0.7871.100" });
});

test("texts of the device are a line and no longer than the report takes", () => {
  const hints = { platform: "x\n".repeat(300), model: "m".repeat(900) };
  const machine = machineFrom({ ...BARE, hints }, {});
  assert.equal(machine.device.length, 200);
  assert.ok(machine.os.length <= 200 && !machine.os.includes("\n"));
});

test("what was asked names only what is not the default", () => {
  assert.deepEqual(requestedOf({ backend: "wasm", threads: null }), {});
  assert.deepEqual(requestedOf({ backend: "webgpu", threads: 2 }), { backend: "webgpu", threads: "2" });
});

test("the battery is told where the browser tells it", () => {
  assert.deepEqual(stateFrom(undefined), {});
  assert.deepEqual(stateFrom({ level: 0.567, charging: false }), { battery_percent: 57, charging: false });
});

test("the report bears the nonce, the plan and the clock", () => {
  let time = 0;
  const plan = {
    rounds: 2, seconds: 0.5, min_samples: 5, window: 5, tolerance: 0.03,
    warm_up_least_seconds: 0.3, warm_up_seconds: 10,
  };
  const job = { schema_version: 1, version: "0.1.0", commit: "abc", nonce: "n", plan };
  const now = () => (time += 0.005);
  const report = reportOf(job, { created: "t", machine: {}, before: {}, after: {}, now, cells: [] });
  assert.deepEqual(report.harness, { name: "browser", version: "0.1.0", commit: "abc" });
  assert.equal(report.nonce, "n");
  assert.deepEqual([report.protocol.rounds, report.protocol.own_process], [2, false]);
  assert.ok(Math.abs(report.protocol.clock_resolution_ns - 5000) <= 1);
});

test("the chart has round ticks and few dots", () => {
  assert.deepEqual(ticksTo(103), [0, 50, 100]);
  assert.deepEqual(ticksTo(8), [0, 2, 4, 6, 8]);
  assert.deepEqual([3.456e6, 123.4e6, 0.0123e6].map(milliseconds), ["3.46 ms", "123 ms", "0.0123 ms"]);
  assert.deepEqual(thinned([1, 2, 3], 400), [1, 2, 3]);
  assert.equal(thinned(Array(5000).fill(1)).length, 400);
});

test("an outlier neither lengthens the axis nor leaves the chart", () => {
  const steady = [10e6, 11e6, 12e6, 11e6, 10e6];
  assert.equal(upperEnd(steady), 12e6);
  assert.ok(upperEnd([...steady, 900e6]) <= 15e6);
  const { most, share, ticks, logarithmic } = scaleOf([[...steady, 900e6]]);
  assert.ok(most < 17e6);
  assert.equal(share(900e6), 1);
  assert.equal(share(0), 0);
  assert.deepEqual([ticks, logarithmic], [[0, 5, 10, 15].filter((tick) => tick * 1e6 <= most), false]);
});

test("rows that are far apart are drawn on a logarithmic axis", () => {
  const { share, ticks, logarithmic } = scaleOf([[2e6, 2e6, 2.1e6], [800e6, 810e6, 790e6]]);
  assert.ok(logarithmic);
  assert.deepEqual(ticks, [10, 100]);
  assert.ok(share(2e6) > 0.02 && share(2e6) < 0.1);
  assert.ok(share(800e6) > 0.9 && share(800e6) < 1);
  assert.ok(Math.abs(share(40e6) - (share(2e6) + share(800e6)) / 2) < 1e-6);
});
