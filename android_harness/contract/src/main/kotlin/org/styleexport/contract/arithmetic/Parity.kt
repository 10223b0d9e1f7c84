package org.styleexport.contract.arithmetic

import java.math.MathContext
import java.math.RoundingMode
import org.styleexport.contract.facts.ParityFact
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind

/** Agreement of a file's output with its network's, on the artifact's probe. */
public object Parity {
    /** PSNR that is reported for bit-identical outputs, in dB. */
    public const val EQUAL_DB: Double = 200.0

    private const val MIN_PEAK = 1e-12

    /**
     * Return the peak signal-to-noise ratio, 10·log10(peak² / mean squared error), in dB.
     *
     * @param output measured values; the PSNR is 0 if one of them is not finite.
     * @param reference expected values, of the same length.
     * @param peak largest possible value; null is the reference's largest absolute value.
     */
    public fun psnrDb(output: FloatArray, reference: FloatArray, peak: Double?): Double {
        var squares = 0.0
        var largest = 0.0
        for (index in reference.indices) {
            val error = output[index].toDouble() - reference[index].toDouble()
            squares += error * error
            largest = maxOf(largest, Math.abs(reference[index].toDouble()))
        }
        if (squares.isNaN() || squares.isInfinite()) return 0.0
        if (squares == 0.0) return EQUAL_DB
        val top = maxOf(peak ?: largest, MIN_PEAK)
        return minOf(EQUAL_DB, 10 * Math.log10(top * top * reference.size / squares))
    }

    /**
     * Return the parity of one output for the report.
     *
     * @param fact description of the output.
     * @throws IllegalArgumentException output and reference differ in shape.
     */
    public fun of(
        fact: TensorFact, output: Tensor, reference: Tensor, runner: String, allowedDb: Double,
    ): ParityFact {
        require(output.shape == reference.shape) {
            "the output is ${output.shape}, expected ${reference.shape}"
        }
        val peak = if (fact.kind == TensorKind.IMAGE) 1.0 else null
        val measured = psnrDb(output.data, reference.data, peak)
        return ParityFact(
            runner = runner,
            measuredDb = Math.rint(measured * 100) / 100,
            allowedDb = allowedDb,
            maxAbsError = threeDigits(largestError(output.data, reference.data)),
            probes = 1,
        )
    }

    private fun largestError(output: FloatArray, reference: FloatArray): Double {
        var largest = 0.0
        for (index in reference.indices) {
            val error = Math.abs(output[index].toDouble() - reference[index].toDouble())
            if (!error.isNaN() && !error.isInfinite()) largest = maxOf(largest, error)
        }
        return largest
    }

    private fun threeDigits(value: Double): Double =
        value.toBigDecimal().round(MathContext(3, RoundingMode.HALF_EVEN)).toDouble()
}
