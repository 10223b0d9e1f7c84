package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonNull
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What the machine could do at best, in GMAC/s; phones leave it out.
 *
 * @property threads that were used.
 * @property fp32Gmacs of a large product or convolution in float.
 * @property int8Gmacs of the same in int8.
 * @property method how it was measured.
 */
public data class PeakFact(
    public val threads: Int,
    public val fp32Gmacs: Double?,
    public val int8Gmacs: Double?,
    public val method: String,
) {
    internal fun json(): JsonObject = Members.of {
        put("threads", threads)
        put("fp32_gmacs", fp32Gmacs?.let(Members::number) ?: JsonNull)
        put("int8_gmacs", int8Gmacs?.let(Members::number) ?: JsonNull)
        put("method", method)
    }

    internal companion object {
        val read: Read<PeakFact> = Fields.strict {
            PeakFact(
                threads = it.required("threads", Readers.int(1)),
                fp32Gmacs = it.nullable("fp32_gmacs", Readers.number),
                int8Gmacs = it.nullable("int8_gmacs", Readers.number),
                method = it.required("method", Readers.words),
            )
        }
    }
}
