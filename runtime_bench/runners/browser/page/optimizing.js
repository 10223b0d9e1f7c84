/** Painting by optimization: the loss of a `step` file is minimized with L-BFGS. */

import { Lbfgs } from "./lbfgs.js";

/**
 * Return the image with the lowest loss, not clamped, and how the iterations ended.
 *
 * The variable is the image divided by a number, and the gradient is multiplied by it, so that the
 * first step of L-BFGS changes every pixel value by `first_change` on average.
 *
 * @param start Image to start from, {shape, data}.
 * @param {(image) => Promise<{loss: number, gradient: Float32Array}>} evaluate
 * @param plan `rules`: optimization of the manifest's network; `iterations`: the largest number, each
 *   of one evaluation, and the last image is evaluated too;
 *   `report({iteration, iterations, loss, bestLoss, best})` is awaited after each, and returns
 *   whether to go on; `best()` is the image with the lowest loss so far.
 * @returns {Promise<{image, iterations, lastLoss, bestLoss, ending}>} `ending` is "finished",
 *   "converged", "diverged" or "stopped".
 * @throws {Error} Not even the first loss is finite.
 */
export async function minimized(start, evaluate, { rules, iterations, report }) {
  const { shape } = start;
  const scale = Math.fround(rules.first_change * start.data.length);
  const lbfgs = new Lbfgs(start.data.map((value) => value / scale), rules);
  const imageOf = (variable) => ({ shape, data: variable.map((value) => value * scale) });
  const best = () => imageOf(lbfgs.best);
  const advance = async () => {
    const { loss, gradient } = await evaluate(imageOf(lbfgs.iterate));
    return { loss, outcome: lbfgs.advance(loss, gradient.map((value) => value * scale)) };
  };
  let [done, loss, outcome, ending] = [0, NaN, "", "finished"];
  while (done < iterations && ending === "finished") {
    ({ loss, outcome } = await advance());
    const { bestLoss } = lbfgs;
    if (bestLoss === Infinity) {
      throw new Error("the loss of the photo, or its gradient, is not finite");
    }
    done += 1;
    const goesOn = await report({ iteration: done, iterations, loss, bestLoss, best });
    if (outcome !== "moved") {
      ending = outcome;
    } else if (!goesOn) {
      ending = "stopped";
    }
  }
  if (ending === "finished") {
    ({ loss, outcome } = await advance());
    ending = outcome === "diverged" ? outcome : ending;
  }
  return { image: best(), iterations: done, lastLoss: loss, bestLoss: lbfgs.bestLoss, ending };
}

const NOTES = {
  finished: (iterations) => `${iterations} iterations`,
  converged: (iterations) => `converged at iteration ${iterations}`,
  stopped: (iterations) => `stopped after iteration ${iterations}`,
  diverged: (iterations, loss) =>
    `diverged at iteration ${iterations} with a loss of ${loss}; the best picture was kept`,
};

/** Return a result of `minimized` in words. */
export function noteOf({ iterations, lastLoss, bestLoss, ending }) {
  return `${NOTES[ending](iterations, short(lastLoss))}, best loss ${short(bestLoss)}`;
}

function short(number) {
  return String(Number(number.toPrecision(6)));
}
