package org.styleexport.contract.json

/**
 * A manifest, report, job or probe that does not follow the contract.
 *
 * @property where JSON path of the fault, such as `$.cells[0].status`; `$` is the document.
 * @property reason value that was read and value that was expected, in one line.
 */
public class ContractError(
    public val where: String,
    public val reason: String,
    cause: Throwable? = null,
) : Exception("$reason - at $where", cause) {
    public companion object {
        /** JSON path of the document. */
        public const val WHOLE: String = "$"
    }
}
