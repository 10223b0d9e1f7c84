package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.StatisticFact
import org.styleexport.contract.facts.StatisticKind

/**
 * Statistics of a film, smoothed over time until a cut; `docs/reference/film.md` specifies them.
 *
 * @param kinds kinds of the statistics by name.
 * @param stability 0 takes each frame's own, 1 averages longest.
 */
public class SmoothedStatistics(
    private val kinds: Map<String, StatisticKind>, private val stability: Double,
) {
    private val averages = HashMap<String, DoubleArray>()
    private var first = emptyMap<String, DoubleArray>()
    private var seconds: Double? = null
    private var weight = 1.0
    private var begins = true

    /** Whether the last frame is the first of a scene after another one. */
    public var isCut: Boolean = false
        private set

    /** Begin a frame that is shown at a time. */
    public fun frame(time: Double) {
        val before = seconds
        val constant = stability * LONGEST_SECONDS
        weight = if (before == null || constant <= 0) {
            1.0
        } else {
            -Math.expm1(-maxOf(0.0, time - before) / constant)
        }
        seconds = time
        begins = true
        isCut = false
    }

    /** Return the statistics to take for those of a pass, which come in order. */
    public fun settle(given: Map<String, DoubleArray>): Map<String, DoubleArray> {
        if (begins) {
            isCut = first.isNotEmpty() && distance(first, given) > CUT
            if (isCut) weight = 1.0
            first = given
            begins = false
        }
        return given.mapValues { (name, values) ->
            val before = averages[name] ?: values
            val average = DoubleArray(values.size) {
                before[it] + weight * (values[it] - before[it])
            }
            averages[name] = average
            average
        }
    }

    /** Return how far apart the statistics of the first pass over two frames are. */
    private fun distance(before: Map<String, DoubleArray>, after: Map<String, DoubleArray>) =
        Math.sqrt(
            after.map { (name, values) ->
                val earlier = before.getValue(name)
                val isMoments = kinds[name] == StatisticKind.MOMENTS
                if (isMoments) ofMoments(earlier, values) else ofMeans(earlier, values)
            }.average(),
        )

    private fun ofMoments(before: DoubleArray, after: DoubleArray): Double {
        val half = after.size / 2
        val (own, other) = deviations(before) to deviations(after)
        return (0 until half).map {
            val moved = after[it] - before[it]
            val contrast = Math.log(other[it] / own[it])
            moved * moved / (own[it] * other[it]) + contrast * contrast
        }.average()
    }

    /** Return deviations of moments, raised to the floor; 1 where all are 0. */
    private fun deviations(moments: DoubleArray): DoubleArray {
        val variances = moments.drop(moments.size / 2).map { maxOf(0.0, it) }
        val floor = FLOOR * Math.sqrt(variances.average())
        return variances.map { if (floor > 0) maxOf(Math.sqrt(it), floor) else 1.0 }.toDoubleArray()
    }

    private fun ofMeans(before: DoubleArray, after: DoubleArray): Double {
        fun length(values: DoubleArray) = Math.sqrt(values.sumOf { it * it })
        val lengths = length(before) * length(after)
        val difference = after.indices.sumOf {
            (after[it] - before[it]) * (after[it] - before[it])
        }
        return if (lengths > 0) difference / lengths else if (difference > 0) 1.0 else 0.0
    }

    public companion object {
        /** Stability where none is chosen. */
        public const val DEFAULT_STABILITY: Double = 0.25

        /** Time constant in seconds of the average at a stability of 1. */
        public const val LONGEST_SECONDS: Double = 1.0

        /** Distance of two frames' statistics above which they are of two scenes. */
        public const val CUT: Double = 0.3

        /** Least deviation, as a share of the root mean square of all channels'. */
        public const val FLOOR: Double = 0.05

        /** Return smoothed statistics of a tiling. */
        public fun of(facts: List<StatisticFact>, stability: Double): SmoothedStatistics =
            SmoothedStatistics(facts.associate { it.name to it.kind }, stability)
    }
}
