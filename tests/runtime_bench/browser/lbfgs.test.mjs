/** Iterates of tests/contract/optimization.json, which torch computed. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Lbfgs } from "../../../runtime_bench/runners/browser/page/lbfgs.js";

const FIXTURE = new URL("../../contract/optimization.json", import.meta.url);
const PROBLEMS = JSON.parse(readFileSync(FIXTURE, "utf8"));
const RULES = { history: 10, learning_rate: 1, divergence: 100, patience: 2 };

/** Return the loss of a problem and its gradient. */
function evaluate({ curvature, centre, quartic, root, coupling, offset }, x) {
  let loss = offset;
  const gradient = new Float64Array(x.length);
  x.forEach((value, index) => {
    const u = value - centre[index];
    const length = Math.sqrt(1 + u * u);
    loss += (curvature[index] / 2) * u ** 2 + (quartic[index] / 4) * u ** 4 + root[index] * length;
    gradient[index] += curvature[index] * u + quartic[index] * u ** 3 + (root[index] * u) / length;
    if (index > 0) {
      const step = value - x[index - 1];
      loss += (coupling / 2) * step ** 2;
      gradient[index] += coupling * step;
      gradient[index - 1] -= coupling * step;
    }
  });
  return { loss, gradient: Float32Array.from(gradient) };
}

function near(found, expected, tolerance, message) {
  assert.equal(found.length, expected.length, message);
  expected.forEach((value, index) => {
    const most = tolerance * Math.max(1, Math.abs(value));
    assert.ok(Math.abs(found[index] - value) <= most, `${message}[${index}]: ${found[index]}, ${value}`);
  });
}

for (const problem of PROBLEMS) {
  test(`${problem.name}: the iterates are those of torch`, () => {
    const lbfgs = new Lbfgs(Float32Array.from(problem.start), problem);
    let outcome = "moved";
    problem.iterates.forEach((expected, number) => {
      assert.notEqual(outcome, "diverged");
      near(lbfgs.iterate, expected, problem.tolerance, `iterate ${number}`);
      const { loss, gradient } = evaluate(problem, lbfgs.iterate);
      near([loss], [problem.losses[number]], problem.tolerance, `loss ${number}`);
      outcome = lbfgs.advance(loss, gradient);
    });
    assert.equal(outcome === "diverged", problem.diverges);
    near([lbfgs.bestLoss], [problem.losses[problem.best]], problem.tolerance, "best loss");
    assert.equal(evaluate(problem, lbfgs.best).loss, lbfgs.bestLoss);
  });
}

test("what is not finite ends it with the best kept", () => {
  for (const [loss, slope] of [[NaN, 1], [Infinity, 1], [0.5, NaN], [0.5, Infinity]]) {
    const lbfgs = new Lbfgs(Float32Array.of(3, 4), RULES);
    assert.equal(lbfgs.advance(2, Float32Array.of(1, 1)), "moved");
    assert.equal(lbfgs.advance(loss, Float32Array.of(1, slope)), "diverged");
    assert.deepEqual(lbfgs.best, Float32Array.of(3, 4));
    assert.equal(lbfgs.bestLoss, 2);
  }
});

test("losses far above the best end it", () => {
  const lbfgs = new Lbfgs(Float32Array.of(3, 4), RULES);
  [2, 201, 200, 1e9].forEach((loss, index) => {
    assert.equal(lbfgs.advance(loss, Float32Array.of(1, 1 + index)), "moved");
  });
  assert.equal(lbfgs.advance(200.1, Float32Array.of(1, 5)), "diverged");
  assert.equal(lbfgs.bestLoss, 2);
});

test("a gradient of zero is an end", () => {
  const lbfgs = new Lbfgs(Float32Array.of(3, 4), RULES);
  assert.equal(lbfgs.advance(2, Float32Array.of(0, 1e-8)), "converged");
  assert.deepEqual(lbfgs.iterate, Float32Array.of(3, 4));
  assert.throws(() => lbfgs.advance(2, Float32Array.of(1)), /1 derivatives for 2 variables/);
});
