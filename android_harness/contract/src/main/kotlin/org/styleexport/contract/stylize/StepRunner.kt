package org.styleexport.contract.stylize

import java.math.MathContext
import org.styleexport.contract.arithmetic.Lbfgs
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.OptimizationFact
import org.styleexport.contract.facts.TensorKind

/**
 * Paints by minimizing the loss of a file with the role `step`, by L-BFGS from the content; the
 * image with the lowest loss is kept.
 *
 * The variable is the image divided by a number, and the gradient is multiplied by it, so that the
 * first step of L-BFGS changes every pixel value by `firstChange` on average.
 *
 * @property file file with the role `step`.
 * @property rules how the network's step files are iterated.
 * @property run runs the file: inputs by name → outputs by name.
 */
public class StepRunner(
    private val file: FileFact,
    private val rules: OptimizationFact,
    private val run: (Map<String, Tensor>) -> Map<String, Tensor>,
) {
    /**
     * Inputs that stay the same over all iterations.
     *
     * @property target target of the content, [1, T].
     * @property code style code, [1, K].
     * @property strength weight of the style: 0 keeps the content.
     */
    public class Targets(
        public val target: Tensor, public val code: Tensor, public val strength: Float,
    )

    /**
     * Return the image with the lowest loss, not clamped, and how the iterations ended.
     *
     * @param content content image, [1, 3, H, W], of the file's size.
     * @param iterations largest number of iterations, each of one evaluation; the last image is
     *   evaluated too.
     * @param report receives the progress after each iteration, and returns whether to go on.
     * @throws ArithmeticException not even the first loss is finite.
     */
    public fun paint(
        content: Tensor, targets: Targets, iterations: Int,
        report: (OptimizationProgress) -> Boolean,
    ): OptimizedImage {
        val scale = (rules.firstChange * content.data.size).toFloat()
        val lbfgs = Lbfgs(FloatArray(content.data.size) { content.data[it] / scale }, rules)
        val advance = { advance(lbfgs, scaled(lbfgs.iterate, scale, content), scale, targets) }
        val best = { scaled(lbfgs.best, scale, content) }
        var ending = OptimizationResult.Ending.FINISHED
        var (done, loss) = Pair(0, Double.NaN)
        while (done < iterations && ending == OptimizationResult.Ending.FINISHED) {
            val (outcome, value) = advance()
            loss = value
            if (lbfgs.bestLoss == Double.POSITIVE_INFINITY) throw ArithmeticException(NOT_FINITE)
            done += 1
            val goesOn = report(OptimizationProgress(done, iterations, loss, lbfgs.bestLoss, best))
            ending = when (outcome) {
                Lbfgs.Outcome.CONVERGED -> OptimizationResult.Ending.CONVERGED
                Lbfgs.Outcome.DIVERGED -> OptimizationResult.Ending.DIVERGED
                Lbfgs.Outcome.MOVED -> if (goesOn) ending else OptimizationResult.Ending.STOPPED
            }
        }
        if (ending == OptimizationResult.Ending.FINISHED) {
            val (outcome, value) = advance()
            loss = value
            if (outcome == Lbfgs.Outcome.DIVERGED) ending = OptimizationResult.Ending.DIVERGED
        }
        return OptimizedImage(best(), OptimizationResult(done, loss, lbfgs.bestLoss, ending))
    }

    /** Evaluate an image and move on; return the outcome and the loss. */
    private fun advance(
        lbfgs: Lbfgs, image: Tensor, scale: Float, targets: Targets,
    ): Pair<Lbfgs.Outcome, Double> {
        val outputs = run(inputs(image, targets))
        val loss = output(outputs, TensorKind.LOSS).data.first().toDouble()
        val gradient = output(outputs, TensorKind.GRADIENT).data
        return Pair(lbfgs.advance(loss, FloatArray(gradient.size) { gradient[it] * scale }), loss)
    }

    private fun scaled(variable: FloatArray, scale: Float, content: Tensor) =
        Tensor(content.shape, FloatArray(variable.size) { variable[it] * scale })

    private fun inputs(image: Tensor, targets: Targets) = file.inputs.associate { fact ->
        fact.name to when (fact.kind) {
            TensorKind.IMAGE -> image
            TensorKind.CONTENT_TARGET -> targets.target
            TensorKind.STYLE_CODE -> targets.code
            TensorKind.STRENGTH -> Tensor(listOf(1), floatArrayOf(targets.strength))
            TensorKind.LOSS, TensorKind.GRADIENT ->
                throw IllegalArgumentException("${file.path} takes an output, ${fact.name}")
            TensorKind.MAP, TensorKind.STATISTIC, TensorKind.REGION ->
                throw IllegalArgumentException("${file.path} is a pass: use TiledPainter")
        }
    }

    private fun output(outputs: Map<String, Tensor>, kind: TensorKind): Tensor {
        val fact = requireNotNull(file.outputs.firstOrNull { it.kind == kind }) {
            "${file.path} gives no ${kind.serialName}"
        }
        return outputs.getValue(fact.name)
    }

    private companion object {
        const val NOT_FINITE = "the loss of the photo, or its gradient, is not finite"
    }
}

/**
 * State of an optimization after an iteration.
 *
 * @property iteration number of the iteration, from 1.
 * @property loss loss of the iteration.
 * @property bestLoss lowest loss so far.
 * @property best returns the image with the lowest loss, not clamped; until the report returns.
 */
public class OptimizationProgress(
    public val iteration: Int,
    public val iterations: Int,
    public val loss: Double,
    public val bestLoss: Double,
    public val best: () -> Tensor,
)

/** Image of the lowest loss, [1, 3, H, W], not clamped, and how the iterations ended. */
public class OptimizedImage(public val image: Tensor, public val result: OptimizationResult)

/**
 * How an optimization ended; its image is the one with the lowest loss, whatever the ending.
 *
 * @property iterations number of iterations that were done.
 * @property lastLoss loss of the last evaluation.
 * @property bestLoss lowest loss of all iterations.
 */
public data class OptimizationResult(
    public val iterations: Int,
    public val lastLoss: Double,
    public val bestLoss: Double,
    public val ending: Ending,
) {
    /** Why there were no more iterations. */
    public enum class Ending {
        /** All iterations were done. */
        FINISHED,

        /** The gradient became too small to go on. */
        CONVERGED,

        /** The loss or its gradient was not finite, or the loss was far above the lowest. */
        DIVERGED,

        /** It was stopped from outside. */
        STOPPED,
    }

    /** The result in words. */
    public val note: String
        get() {
            val best = "best loss ${text(bestLoss)}"
            return when (ending) {
                Ending.FINISHED -> "$iterations iterations, $best"
                Ending.CONVERGED -> "converged at iteration $iterations, $best"
                Ending.STOPPED -> "stopped after iteration $iterations, $best"
                Ending.DIVERGED ->
                    "diverged at iteration $iterations with a loss of ${text(lastLoss)}; " +
                        "the best picture was kept, $best"
            }
        }

    private companion object {
        const val DIGITS = 6

        fun text(value: Double): String {
            if (value.isNaN() || value.isInfinite()) return value.toString()
            val rounded = value.toBigDecimal().round(MathContext(DIGITS)).stripTrailingZeros()
            return if (rounded.signum() == 0) "0" else rounded.toPlainString()
        }
    }
}
