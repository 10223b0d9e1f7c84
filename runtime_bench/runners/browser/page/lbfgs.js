/** Limited-memory BFGS without a line search; `docs/reference/l-bfgs.md` specifies it for all hosts. */

const GRADIENT_TOLERANCE = 1e-7;
const SLOPE_TOLERANCE = 1e-9;
const LEAST_CURVATURE = 1e-10;

/**
 * Minimizer with a fixed step, as `torch.optim.LBFGS` with one evaluation an iteration.
 *
 * Evaluate the loss and its gradient at `iterate`, pass both to `advance`, and repeat. Vectors are
 * float32; sums over their elements are float64.
 */
export class Lbfgs {
  #rules;
  #pairs = [];
  #direction = null;
  #gradient = null;
  #stepLength = 0;
  #scale = 1;
  // Number of losses, one after the other, that were far above the best.
  #farLosses = 0;

  /**
   * @param {Float32Array} start Variables of the first evaluation.
   * @param rules `optimization` of a manifest's network: history, learning_rate, divergence and
   *   patience.
   */
  constructor(start, rules) {
    this.#rules = rules;
    /** Variables at which to evaluate next. */
    this.iterate = Float32Array.from(start);
    /** Variables with the lowest loss so far; the start before the first evaluation. */
    this.best = Float32Array.from(start);
    /** The lowest loss so far; infinity before the first evaluation. */
    this.bestLoss = Infinity;
  }

  /**
   * Take the loss and the gradient at `iterate`, and move on.
   *
   * @returns "moved"; "converged" where the gradient, or the slope along the direction, is too small
   *   to go on; "diverged" where the loss or the gradient is not finite, or losses are far above
   *   the best.
   */
  advance(loss, gradient) {
    if (gradient.length !== this.iterate.length) {
      throw new Error(`${gradient.length} derivatives for ${this.iterate.length} variables`);
    }
    const { sum, largest } = absolutes(gradient);
    const isFar = this.bestLoss > 0 && loss > this.#rules.divergence * this.bestLoss;
    this.#farLosses = isFar ? this.#farLosses + 1 : 0;
    const isBeyond = this.#farLosses >= this.#rules.patience;
    if (!Number.isFinite(loss) || !Number.isFinite(sum) || isBeyond) {
      return "diverged";
    }
    if (loss < this.bestLoss) {
      this.bestLoss = loss;
      this.best.set(this.iterate);
    }
    if (largest <= GRADIENT_TOLERANCE) {
      return "converged";
    }
    const isFirst = !this.#gradient;
    if (!isFirst) {
      this.#remember(gradient);
    }
    this.#gradient = Float32Array.from(gradient);
    this.#direction = gradient.map((value) => -value);
    if (!isFirst) {
      this.#approximateNewtonDirection();
    }
    this.#stepLength = this.#rules.learning_rate * (isFirst ? Math.min(1, 1 / sum) : 1);
    if (dot(this.#gradient, this.#direction) > -SLOPE_TOLERANCE) {
      return "converged";
    }
    add(this.#direction, this.#stepLength, this.iterate);
    return "moved";
  }

  /** Append the last step and the change of the gradient where the curvature along it is positive. */
  #remember(gradient) {
    const step = this.#direction;
    scale(step, this.#stepLength);
    const change = Float32Array.from(gradient);
    add(this.#gradient, -1, change);
    const curvature = dot(change, step);
    if (!(curvature > LEAST_CURVATURE)) {
      return;
    }
    this.#scale = curvature / dot(change, change);
    if (this.#pairs.length === this.#rules.history) {
      this.#pairs.shift();
    }
    this.#pairs.push({ step, change, rho: 1 / curvature });
  }

  /** Multiply the direction by the approximate inverse Hessian: the two-loop recursion. */
  #approximateNewtonDirection() {
    const direction = this.#direction;
    const weights = new Map();
    for (const pair of [...this.#pairs].reverse()) {
      const weight = pair.rho * dot(pair.step, direction);
      add(pair.change, -weight, direction);
      weights.set(pair, weight);
    }
    scale(direction, this.#scale);
    for (const pair of this.#pairs) {
      const correction = pair.rho * dot(pair.change, direction);
      add(pair.step, weights.get(pair) - correction, direction);
    }
  }
}

/** Return the sum and the largest of the absolute values; the sum is not finite if any is not. */
function absolutes(vector) {
  let sum = 0;
  let largest = 0;
  for (let index = 0; index < vector.length; index += 1) {
    const value = Math.abs(vector[index]);
    sum += value;
    largest = value > largest ? value : largest;
  }
  return { sum, largest };
}

/** Return the scalar product, by four sums that do not wait for one another. */
function dot(first, second) {
  let [a, b, c, d] = [0, 0, 0, 0];
  let index = 0;
  for (; index + 4 <= first.length; index += 4) {
    a += first[index] * second[index];
    b += first[index + 1] * second[index + 1];
    c += first[index + 2] * second[index + 2];
    d += first[index + 3] * second[index + 3];
  }
  for (; index < first.length; index += 1) {
    a += first[index] * second[index];
  }
  return a + b + c + d;
}

/** Add a multiple of a vector to another. */
function add(vector, factor, target) {
  for (let index = 0; index < target.length; index += 1) {
    target[index] += factor * vector[index];
  }
}

function scale(vector, factor) {
  for (let index = 0; index < vector.length; index += 1) {
    vector[index] *= factor;
  }
}
