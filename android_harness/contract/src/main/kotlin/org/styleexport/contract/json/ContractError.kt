package org.styleexport.contract.json

/**
 * What a manifest, a report, a job or a probe has wrong.
 *
 * @property where JSON path of it, such as `$.cells[0].status`; `$` is the whole.
 * @property reason what was found and what was expected, in one line.
 */
public class ContractError(
    public val where: String,
    public val reason: String,
    cause: Throwable? = null,
) : Exception("$reason - at $where", cause) {
    public companion object {
        /** The path of the whole. */
        public const val WHOLE: String = "$"
    }
}
