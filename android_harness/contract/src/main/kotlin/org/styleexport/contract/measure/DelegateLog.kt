package org.styleexport.contract.measure

/** Parser of LiteRT's log lines on delegates. */
public object DelegateLog {
    private val REPLACED =
        Regex("Replacing (\\d+) out of (\\d+) node\\(s\\) with delegate \\((\\w+)\\)")

    /**
     * Return each delegate's fraction of the file's operations, 0..1; empty if none is logged.
     *
     * Delegates apply one after another to the rest of the graph, in which the part of an earlier
     * delegate counts as one node, so the fractions of later ones are approximate.
     *
     * @param lines log lines since loading began.
     */
    public fun shares(lines: Sequence<String>): Map<String, Double> {
        val shares = LinkedHashMap<String, Double>()
        var left = 1.0
        for (match in lines.mapNotNull(REPLACED::find)) {
            val (replaced, total, delegate) = match.destructured
            val share = left * replaced.toDouble() / maxOf(1.0, total.toDouble())
            shares[delegate] = (shares[delegate] ?: 0.0) + share
            left -= share
        }
        return shares
    }
}
