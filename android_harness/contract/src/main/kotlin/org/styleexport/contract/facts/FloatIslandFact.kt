package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Operations of an int8 file that stay in float, and why.
 *
 * @property ops by type or by node name.
 * @property reason why.
 */
public data class FloatIslandFact(
    public val ops: List<String>,
    public val reason: String,
) {
    internal companion object {
        val read: Read<FloatIslandFact> = Fields.strict {
            FloatIslandFact(
                ops = it.required("ops", Readers.list(Readers.text)),
                reason = it.required("reason", Readers.text),
            )
        }
    }
}
