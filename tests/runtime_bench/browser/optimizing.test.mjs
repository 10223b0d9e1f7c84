import assert from "node:assert/strict";
import { test } from "node:test";

import { minimized, noteOf } from "../../../runtime_bench/runners/browser/page/optimizing.js";

const RULES = {
  algorithm: "lbfgs", history: 10, learning_rate: 1, first_change: 1 / 255, iterations: 100,
  divergence: 100, patience: 3,
};
const START = { shape: [1, 3, 2, 2], data: new Float32Array(12).fill(0.5) };
const COLOUR = [0.25, 0.5, 0.75];

/** Distances of each pixel from the photo, and from a colour; weights differ: it takes iterations. */
async function evaluate({ data }) {
  let loss = 0;
  const gradient = data.map((value, index) => {
    const [own, style, weight] = [value - 0.5, value - COLOUR[Math.floor(index / 4)], 1 + (index % 7)];
    loss += weight * (own * own + style * style);
    return 2 * weight * (own + style);
  });
  return { loss, gradient };
}

const plan = (iterations, report = async () => true) => ({ rules: RULES, iterations, report });

test("the image approaches the style, and the best loss never rises", async () => {
  const losses = [];
  const result = await minimized(START, evaluate, plan(20, async (progress) => {
    losses.push(progress.bestLoss);
    assert.equal(progress.iteration, losses.length);
    assert.equal(progress.iterations, 20);
    return true;
  }));
  assert.deepEqual(losses, [...losses].sort((a, b) => b - a));
  assert.ok(result.bestLoss <= losses.at(-1));
  assert.deepEqual(result.image.shape, START.shape);
  [0.375, 0.5, 0.625].forEach((expected, channel) => {
    assert.ok(Math.abs(result.image.data[4 * channel] - expected) < 1e-4);
  });
  assert.deepEqual(START.data, new Float32Array(12).fill(0.5));
});

test("it can be stopped", async () => {
  const result = await minimized(START, evaluate, plan(20, async ({ iteration }) => iteration < 3));
  assert.equal(result.ending, "stopped");
  assert.equal(result.iterations, 3);
  assert.match(noteOf(result), /^stopped after iteration 3, best loss \d/);
});

test("it keeps the best when it diverges, and says so", async () => {
  const whole = await minimized(START, evaluate, plan(2));
  assert.equal(whole.ending, "finished");
  for (const [fault, last] of [[NaN, 4], [1e9, 6]]) {
    let runs = 0;
    const faulty = async (image) => {
      runs += 1;
      const { loss, gradient } = await evaluate(image);
      return { loss: runs < 4 ? loss : fault, gradient };
    };
    const result = await minimized(START, faulty, plan(20));
    assert.deepEqual(result.image.data, whole.image.data);
    const words = `diverged at iteration ${last} with a loss of ${fault}; the best picture was kept, `;
    assert.ok(noteOf(result).startsWith(words), noteOf(result));
  }
});

test("the first step changes pixels by what the manifest says", async () => {
  let image = START;
  const seen = async (next) => {
    image = next;
    const { loss, gradient } = await evaluate(next);
    return { loss, gradient: gradient.map((value) => 100 * value) };
  };
  await minimized(START, seen, plan(1));
  const changes = image.data.map((value, index) => Math.abs(value - START.data[index]));
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  assert.ok(Math.abs(mean - 1 / 255) < 1e-5, mean);
});

test("the last image is evaluated too", async () => {
  let runs = 0;
  const counted = (image) => {
    runs += 1;
    return evaluate(image);
  };
  const result = await minimized(START, counted, plan(3));
  assert.deepEqual([runs, result.iterations], [4, 3]);
  assert.equal(result.bestLoss, result.lastLoss);
});

test("a loss of the photo that is not finite is an error", async () => {
  const faulty = async (image) => ({ ...(await evaluate(image)), loss: NaN });
  await assert.rejects(minimized(START, faulty, plan(20)), /the loss of the photo.*is not finite/);
});
