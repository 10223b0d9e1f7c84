package org.styleexport.contract.measure

/** A monotonic clock. */
public fun interface Clock {
    /** Return nanoseconds since some moment. */
    public fun now(): Long

    public companion object {
        private const val STEPS = 40
        private const val READS = 2_000_000

        /** Return the smallest step that a clock was seen to take, in nanoseconds. */
        public fun resolutionNs(clock: Clock): Double {
            var smallest = Long.MAX_VALUE
            var before = clock.now()
            var seen = 0
            for (read in 0 until READS) {
                val after = clock.now()
                if (after > before) {
                    smallest = minOf(smallest, after - before)
                    if (++seen == STEPS) break
                }
                before = after
            }
            return if (seen > 0) smallest.toDouble() else 0.0
        }
    }
}
