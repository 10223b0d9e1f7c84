package org.styleexport.contract.measure

/** Which cells take turns: those of one size, and few enough for the memory. */
public object Groups {
    private const val MOST_AT_ONCE = 4

    /** Return the items in groups, in the order in which sizes are first seen. */
    public fun <T, S> of(items: List<T>, sizeOf: (T) -> S): List<List<T>> =
        items.groupBy(sizeOf).values.flatMap { it.chunked(MOST_AT_ONCE) }
}
