package org.styleexport.contract.measure

/** What LiteRT writes into the log when a delegate takes part of a file. */
public object DelegateLog {
    private val TAKEN =
        Regex("Replacing (\\d+) out of (\\d+) node\\(s\\) with delegate \\((\\w+)\\)")

    /**
     * Return delegate → share of the file's operations, 0..1; empty where the log does not tell.
     *
     * Delegates apply one after the other, each to what the one before left: a node of a delegate
     * counts as one operation from then on, so the shares of a later one are an approximation.
     *
     * @param lines of the log, since the file began to be loaded.
     */
    public fun shares(lines: Sequence<String>): Map<String, Double> {
        val shares = LinkedHashMap<String, Double>()
        var left = 1.0
        for (match in lines.mapNotNull(TAKEN::find)) {
            val (taken, whole, delegate) = match.destructured
            val share = left * taken.toDouble() / maxOf(1.0, whole.toDouble())
            shares[delegate] = (shares[delegate] ?: 0.0) + share
            left -= share
        }
        return shares
    }
}
