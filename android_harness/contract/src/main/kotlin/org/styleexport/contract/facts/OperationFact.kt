package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One operation of a profiled run; phones leave it out.
 *
 * @property layer of the captured network that it computes.
 * @property op as the runtime names the kernel.
 * @property timeNs median over the profiled runs.
 * @property macs multiply-accumulates; 0 where it has none.
 * @property delegate which part of the runtime ran it.
 */
public data class OperationFact(
    public val layer: String,
    public val op: String,
    public val timeNs: Long,
    public val macs: Long = 0,
    public val delegate: String = "",
) {
    internal fun json(): JsonObject = Members.of {
        put("layer", layer)
        put("op", op)
        put("time_ns", timeNs)
        put("macs", macs)
        put("delegate", delegate)
    }

    internal companion object {
        val read: Read<OperationFact> = Fields.strict {
            OperationFact(
                layer = it.required("layer", Readers.words),
                op = it.required("op", Readers.words),
                timeNs = it.required("time_ns", Readers.nanoseconds),
                macs = it.optional("macs", 0, Readers.count),
                delegate = it.optional("delegate", "", Readers.words),
            )
        }
    }
}
