package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * How it was measured.
 *
 * @property rounds how often every cell had its turn.
 * @property seconds that a turn lasts at least.
 * @property minSamples that a turn takes at least.
 * @property warmUp when a cell counts as warm, in words.
 * @property interleaved whether cells took turns, in a new order each round.
 * @property ownProcess whether each cell ran in a process of its own.
 * @property clock that was read.
 * @property clockResolutionNs of it.
 */
public data class ProtocolFact(
    public val rounds: Int,
    public val seconds: Double,
    public val minSamples: Int,
    public val warmUp: String,
    public val interleaved: Boolean,
    public val ownProcess: Boolean,
    public val clock: String,
    public val clockResolutionNs: Double,
) {
    internal fun json(): JsonObject = Members.of {
        put("rounds", rounds)
        put("seconds", seconds)
        put("min_samples", minSamples)
        put("warm_up", warmUp)
        put("interleaved", interleaved)
        put("own_process", ownProcess)
        put("clock", clock)
        put("clock_resolution_ns", clockResolutionNs)
    }

    internal companion object {
        val read: Read<ProtocolFact> = Fields.strict {
            ProtocolFact(
                rounds = it.required("rounds", Readers.int(1)),
                seconds = it.required("seconds", Readers.number(0.0)),
                minSamples = it.required("min_samples", Readers.int(1)),
                warmUp = it.required("warm_up", Readers.words),
                interleaved = it.required("interleaved", Readers.boolean),
                ownProcess = it.required("own_process", Readers.boolean),
                clock = it.required("clock", Readers.words),
                clockResolutionNs = it.required("clock_resolution_ns", Readers.number(0.0)),
            )
        }
    }
}
