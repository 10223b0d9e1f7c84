package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One rewrite of the graph: how often it applied, and what it refused and why.
 *
 * @property name of the pass.
 * @property applied how often.
 * @property refused why not, elsewhere.
 */
public data class PassFact(
    public val name: String,
    public val applied: Long,
    public val refused: List<String>,
) {
    internal companion object {
        val read: Read<PassFact> = Fields.strict {
            PassFact(
                name = it.required("name", Readers.text),
                applied = it.required("applied", Readers.whole),
                refused = it.required("refused", Readers.list(Readers.text)),
            )
        }
    }
}
