package org.styleexport.contract.measure

/** Parser of LiteRT's log lines on delegates and accelerators. */
public object DelegateLog {
    private val REPLACED =
        Regex("Replacing (\\d+) out of (\\d+) node\\(s\\) with delegate \\(([^)]+)\\)")
    private val REFUSED_START = Regex("Following operations are not supported by GPU delegate:")
    private val REFUSED_END = Regex("(\\d+|No) operations will run on the GPU")

    private val SOURCE_PLACE = Regex("\\[[^]]+:\\d+]$")

    /** What `logcat` writes before a text, in its long form with times or in its brief one. */
    private val PREFIX = Regex("^.*?\\b[VDIWEF][ /]\\w+\\s*(\\(\\s*\\d+\\))?:\\s?")

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

    /**
     * Return the operations that the GPU refused, each with its reason; empty if none is logged.
     *
     * @param lines log lines since loading began.
     */
    public fun refused(lines: Sequence<String>): List<String> = lines
        .map { it.replaceFirst(PREFIX, "").trim() }
        .dropWhile { !REFUSED_START.containsMatchIn(it) }
        .drop(1)
        .takeWhile { !REFUSED_END.containsMatchIn(it) }
        .filter(String::isNotEmpty)
        .toList()

    /**
     * Return the text of an error of LiteRT, which begins with lines of places in its source; null
     * where it has no other line.
     */
    public fun reason(message: String): String? = message.lineSequence()
        .map { it.trim('\u2514', ' ') }
        .firstOrNull { it.isNotEmpty() && !SOURCE_PLACE.containsMatchIn(it) }
}
