package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Two int8 files of two targets, on the probes.
 *
 * @property a below the artifact directory.
 * @property b the same.
 * @property measuredDb PSNR of B's output against A's on the worst probe.
 */
public data class AgreementFact(
    public val a: String,
    public val b: String,
    public val measuredDb: Double,
) {
    internal companion object {
        val read: Read<AgreementFact> = Fields.strict {
            AgreementFact(
                a = it.required("a", Readers.path),
                b = it.required("b", Readers.path),
                measuredDb = it.required("measured_db", Readers.number),
            )
        }
    }
}
