package org.styleexport.contract.measure

import org.styleexport.contract.facts.PlanFact

/** When a cell counts as warm. The only medians that a device takes. */
public object WarmUp {
    /** Runs of a warm-up in any case, be they as long as they may. */
    internal const val LEAST_RUNS = 2

    /** Return the rule in words. */
    public fun inWords(plan: PlanFact): String =
        "until the median of ${plan.window} runs is within ${short(plan.tolerance * 100)}% of " +
            "that of the ${plan.window} before, at least ${short(plan.warmUpLeastSeconds)} s, " +
            "at most ${short(plan.warmUpSeconds)} s"

    /** Whether the last window of samples and the one before it agree. */
    public fun isStable(samples: List<Long>, window: Int, tolerance: Double): Boolean {
        if (samples.size < 2 * window) return false
        val last = samples.takeLast(2 * window)
        val before = median(last.take(window))
        return Math.abs(median(last.takeLast(window)) - before) <= tolerance * before
    }

    /** Return the middle of some numbers; of an even count, the mean of the two in the middle. */
    internal fun median(numbers: List<Long>): Double {
        val sorted = numbers.sorted()
        val half = sorted.size / 2
        return if (sorted.size % 2 == 1) {
            sorted[half].toDouble()
        } else {
            (sorted[half - 1] + sorted[half]) / 2.0
        }
    }

    private fun short(number: Double): String =
        (Math.rint(number * 1000) / 1000).toBigDecimal().stripTrailingZeros().toPlainString()
}
