package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.OptimizationFact

/**
 * Limited-memory BFGS with a fixed step and without a line search, as `torch.optim.LBFGS` computes
 * it with one evaluation an iteration; `docs/reference/l-bfgs.md` specifies it for all hosts.
 *
 * Evaluate the loss and its gradient at [iterate], pass both to [advance], and repeat. Vectors are
 * float32; sums over their elements are float64.
 *
 * @param start variables of the first evaluation.
 * @param rules length of the history, of a step, and what counts as divergence.
 */
public class Lbfgs(start: FloatArray, private val rules: OptimizationFact) {
    /** What an evaluation led to. */
    public enum class Outcome {
        /** There is a new iterate. */
        MOVED,

        /** The gradient, or the slope along the direction, is too small to go on. */
        CONVERGED,

        /** The loss or the gradient is not finite, or losses are far above the best. */
        DIVERGED,
    }

    /** Differences of two iterates and of their gradients; rho is one over their product. */
    private class Pair(val step: FloatArray, val change: FloatArray, val rho: Double)

    /** Variables at which to evaluate next. */
    public val iterate: FloatArray = start.copyOf()

    /** Variables with the lowest loss so far; the start before the first evaluation. */
    public val best: FloatArray = start.copyOf()

    /** Lowest loss so far; infinity before the first evaluation. */
    public var bestLoss: Double = Double.POSITIVE_INFINITY
        private set

    private val pairs = ArrayDeque<Pair>()
    private var direction = FloatArray(0)
    private var gradient: FloatArray? = null
    private var stepLength = 0.0
    private var scale = 1.0

    /** Number of losses, one after the other, that were far above the best. */
    private var farLosses = 0

    /** Take the loss and the gradient at [iterate], and move on. */
    public fun advance(loss: Double, next: FloatArray): Outcome {
        require(next.size == iterate.size) { "${next.size} derivatives for ${iterate.size}" }
        val sum = absoluteSum(next)
        val isFar = bestLoss > 0 && loss > rules.divergence * bestLoss
        farLosses = if (isFar) farLosses + 1 else 0
        val isLost = !isFinite(loss) || !isFinite(sum) || farLosses >= rules.patience
        if (isLost) return Outcome.DIVERGED
        if (loss < bestLoss) {
            bestLoss = loss
            iterate.copyInto(best)
        }
        if (largest(next) <= GRADIENT_TOLERANCE) return Outcome.CONVERGED
        val before = gradient
        before?.let { remember(it, next) }
        direction = FloatArray(next.size) { -next[it] }
        if (before != null) approximateNewtonDirection()
        gradient = next.copyOf()
        stepLength = rules.learningRate * if (before == null) minOf(1.0, 1 / sum) else 1.0
        if (dot(next, direction) > -SLOPE_TOLERANCE) return Outcome.CONVERGED
        add(direction, stepLength, iterate)
        return Outcome.MOVED
    }

    /** Append the last step and the gradient's change where the curvature along it is positive. */
    private fun remember(before: FloatArray, next: FloatArray) {
        val step = direction
        scale(step, stepLength)
        val change = FloatArray(next.size) { next[it] - before[it] }
        val curvature = dot(change, step)
        if (!(curvature > LEAST_CURVATURE)) return
        scale = curvature / dot(change, change)
        if (pairs.size == rules.history) pairs.removeFirst()
        pairs.addLast(Pair(step, change, 1 / curvature))
    }

    /** Multiply the direction by the approximate inverse Hessian: the two-loop recursion. */
    private fun approximateNewtonDirection() {
        val weights = DoubleArray(pairs.size)
        for (index in pairs.indices.reversed()) {
            val pair = pairs[index]
            weights[index] = pair.rho * dot(pair.step, direction)
            add(pair.change, -weights[index], direction)
        }
        scale(direction, scale)
        for ((index, pair) in pairs.withIndex()) {
            val correction = pair.rho * dot(pair.change, direction)
            add(pair.step, weights[index] - correction, direction)
        }
    }

    private companion object {
        const val GRADIENT_TOLERANCE = 1e-7
        const val SLOPE_TOLERANCE = 1e-9
        const val LEAST_CURVATURE = 1e-10

        /** Sums of [dot] that do not wait for one another. */
        const val LANES = 4

        fun isFinite(value: Double) = !value.isNaN() && !value.isInfinite()

        /** Return the sum of the absolute values, which is not finite if any is not. */
        fun absoluteSum(vector: FloatArray): Double {
            var sum = 0.0
            for (value in vector) sum += Math.abs(value)
            return sum
        }

        fun largest(vector: FloatArray): Float {
            var largest = 0f
            for (value in vector) largest = maxOf(largest, Math.abs(value))
            return largest
        }

        /** Return the scalar product. */
        fun dot(first: FloatArray, second: FloatArray): Double {
            var a = 0.0
            var b = 0.0
            var c = 0.0
            var d = 0.0
            val whole = first.size - first.size % LANES
            for (index in 0 until whole step LANES) {
                a += first[index].toDouble() * second[index]
                b += first[index + 1].toDouble() * second[index + 1]
                c += first[index + 2].toDouble() * second[index + 2]
                d += first[index + 3].toDouble() * second[index + 3]
            }
            for (index in whole until first.size) a += first[index].toDouble() * second[index]
            return a + b + c + d
        }

        /** Add a multiple of a vector to another. */
        fun add(vector: FloatArray, factor: Double, target: FloatArray) {
            val rounded = factor.toFloat()
            for (index in target.indices) target[index] += rounded * vector[index]
        }

        /** Multiply a vector by a number. */
        fun scale(vector: FloatArray, factor: Double) {
            val rounded = factor.toFloat()
            for (index in vector.indices) vector[index] *= rounded
        }
    }
}
