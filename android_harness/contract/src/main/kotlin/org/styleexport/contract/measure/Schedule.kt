package org.styleexport.contract.measure

import org.styleexport.contract.facts.PlanFact

/** Warm-up rule. Its medians are the only statistics that a device computes. */
public object WarmUp {
    /** Minimum number of warm-up runs, however long they take. */
    internal const val MIN_RUNS = 2

    /** Return the rule in words, as the desktop writes it. */
    public fun description(plan: PlanFact): String =
        "until the median of ${plan.window} runs is within ${short(plan.tolerance * 100)}% of " +
            "that of the ${plan.window} before, at least ${short(plan.warmUpLeastSeconds)} s, " +
            "at most ${short(plan.warmUpSeconds)} s"

    /** Whether the medians of the last two windows of samples agree within a tolerance. */
    public fun isStable(samples: List<Long>, window: Int, tolerance: Double): Boolean {
        if (samples.size < 2 * window) return false
        val last = samples.takeLast(2 * window)
        val before = median(last.take(window))
        return Math.abs(median(last.takeLast(window)) - before) <= tolerance * before
    }

    /** Return the median; of an even count, the mean of the middle two. */
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

/** Groups of cells that are loaded at once: of one size, and few enough for the memory. */
public object MemoryGroups {
    private const val MAX_LOADED = 4

    /** Return the items in groups, ordered by the first item of each size. */
    public fun <T, S> of(items: List<T>, sizeOf: (T) -> S): List<List<T>> =
        items.groupBy(sizeOf).values.flatMap { it.chunked(MAX_LOADED) }
}

/** Pseudo-random number generator of the protocol (mulberry32): the same in all languages. */
public class Mulberry32(seed: Long) {
    private var state = seed.toInt()

    /** Return the next number, in 0..1. */
    public fun next(): Double {
        state += 0x6d2b79f5
        var mixed = (state xor (state ushr 15)) * (state or 1)
        mixed = mixed xor (mixed + (mixed xor (mixed ushr 7)) * (mixed or 61))
        return (mixed xor (mixed ushr 14)).toUInt().toDouble() / TWO_TO_32
    }

    /** Return the items in random order (Fisher-Yates). */
    public fun <T> shuffled(items: List<T>): List<T> {
        val order = items.toMutableList()
        for (last in order.size - 1 downTo 1) {
            val other = (next() * (last + 1)).toInt()
            order[last] = order.set(other, order[last])
        }
        return order
    }

    private companion object {
        const val TWO_TO_32 = 4_294_967_296.0
    }
}
