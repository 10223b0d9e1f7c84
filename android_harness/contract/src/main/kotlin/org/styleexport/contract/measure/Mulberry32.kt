package org.styleexport.contract.measure

/** Numbers in 0..1 that depend on the seed alone (mulberry32). */
public class Mulberry32(seed: Long) {
    private var state = seed.toInt()

    /** Return the next. */
    public fun next(): Double {
        state += 0x6d2b79f5
        var mixed = (state xor (state ushr 15)) * (state or 1)
        mixed = mixed xor (mixed + (mixed xor (mixed ushr 7)) * (mixed or 61))
        return (mixed xor (mixed ushr 14)).toUInt().toDouble() / TWO_TO_32
    }

    /** Return the items in a new order (Fisher and Yates). */
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
