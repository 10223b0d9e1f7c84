package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Something in a file that is known to fail or to run slowly on some devices.
 *
 * @property where the layer, or what it is about.
 * @property reason what happens, and where.
 * @property remedy what to type or to change.
 */
public data class RiskFact(
    public val where: String,
    public val reason: String,
    public val remedy: String,
) {
    internal companion object {
        val read: Read<RiskFact> = Fields.strict {
            RiskFact(
                where = it.required("where", Readers.text),
                reason = it.required("reason", Readers.text),
                remedy = it.required("remedy", Readers.text),
            )
        }
    }
}
