package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.StatisticFact
import org.styleexport.contract.facts.StatisticKind

/**
 * Statistic over some tiles; of none at first.
 *
 * Tiles merge by the pairwise formula of Chan, Golub and LeVeque (1979) in double precision, so
 * that 40 million places lose nothing.
 */
public class MergedStatistic(private val fact: StatisticFact) {
    /** Number of places. */
    public var count: Long = 0
        private set

    /** Values, as tiles give them, over all these places. */
    public val values: DoubleArray = DoubleArray(fact.length)

    /** What differing means of two parts add to the second moment of each channel. */
    private val between = DoubleArray(fact.length / 2)

    /** Add a tile of `places` places with its values. */
    public fun add(places: Long, tile: FloatArray) {
        require(tile.size == values.size) { "${fact.name} has ${tile.size} values" }
        val share = places.toDouble() / (count + places)
        val half = fact.length / 2
        for (index in values.indices) {
            val difference = tile[index] - values[index]
            values[index] += difference * share
            if (fact.kind == StatisticKind.MOMENTS && index < half) {
                between[index] = difference * difference * (share * (1 - share))
            } else if (fact.kind == StatisticKind.MOMENTS) {
                values[index] += between[index - half]
            }
        }
        count += places
    }

    /** Return what files take, [1, length]. */
    public fun given(): Tensor {
        val first = if (fact.kind == StatisticKind.MOMENTS) fact.length / 2 else 0
        val places = fact.height.toDouble() * fact.width
        val corrects = fact.correction == 1 && count > 1
        val factor = if (corrects) (1 - 1 / places) / (1 - 1.0 / count) else 1.0
        val given = FloatArray(fact.length) { index ->
            (values[index] * if (index < first) 1.0 else factor).toFloat()
        }
        return Tensor(listOf(1, fact.length), given)
    }
}
