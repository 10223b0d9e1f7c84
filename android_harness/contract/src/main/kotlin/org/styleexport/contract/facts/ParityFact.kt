package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * A file against the float network it came from, on probes.
 *
 * @property runner what ran the file.
 * @property measuredDb peak signal-to-noise ratio on the worst probe.
 * @property allowedDb the least that passes.
 * @property maxAbsError the largest difference of one element.
 * @property probes how many were run.
 * @property float32Db the same with every tensor kept in float32, where a runner can.
 */
public data class ParityFact(
    public val runner: String,
    public val measuredDb: Double,
    public val allowedDb: Double,
    public val maxAbsError: Double,
    public val probes: Int,
    public val float32Db: Double? = null,
) {
    /** Whether the file may be used; what is not a number does not pass. */
    public val passed: Boolean get() = measuredDb >= allowedDb

    internal fun json(): JsonObject = Members.of {
        put("runner", runner)
        put("metric", METRIC)
        put("measured_db", measuredDb)
        put("allowed_db", allowedDb)
        put("max_abs_error", maxAbsError)
        put("probes", probes)
        put("float32_db", float32Db)
    }

    internal companion object {
        private const val METRIC = "psnr"

        val read: Read<ParityFact> = Fields.strict {
            it.required("metric", Readers.oneOf(listOf(METRIC)) { one -> one })
            ParityFact(
                runner = it.required("runner", Readers.text),
                measuredDb = it.required("measured_db", Readers.number),
                allowedDb = it.required("allowed_db", Readers.number),
                maxAbsError = it.required("max_abs_error", Readers.number),
                probes = it.required("probes", Readers.int(Int.MIN_VALUE)),
                float32Db = it.optional("float32_db", Readers.number),
            )
        }
    }
}
