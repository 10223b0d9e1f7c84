package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.JsonWriter
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Everything that one run of a harness measured.
 *
 * @property harness what measured.
 * @property created when it began, UTC, ISO 8601.
 * @property nonce that the host asked with.
 * @property command that was typed.
 * @property machine what it was measured on.
 * @property before state of the machine.
 * @property after the same, at the end.
 * @property protocol how it was measured.
 * @property peak what the machine could do at best.
 * @property cells in the order of the request.
 */
public data class LatencyReport(
    public val harness: HarnessFact,
    public val created: String,
    public val nonce: String? = null,
    public val command: String = "",
    public val machine: MachineFact,
    public val before: StateFact,
    public val after: StateFact,
    public val protocol: ProtocolFact,
    public val peak: PeakFact? = null,
    public val cells: List<CellFact>,
) {
    /** Return the report as JSON, ending in a newline. */
    public fun encoded(): ByteArray = JsonWriter.write(json())

    internal fun json(): JsonObject = Members.of {
        put("schema_version", SCHEMA_VERSION)
        put("harness", harness.json())
        put("created", created)
        put("nonce", nonce)
        put("command", command.takeIf { it != "" })
        put("machine", machine.json())
        put("before", before.json())
        put("after", after.json())
        put("protocol", protocol.json())
        put("peak", peak?.json())
        put("cells", cells) { it.json() }
    }

    public companion object {
        /** Of the reports that are read and written. */
        public const val SCHEMA_VERSION: Int = 1

        private val CREATED = Readers.matching(
            Regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|\\+00:00)"),
            "a time in UTC",
        )

        private val read: Read<LatencyReport> = Fields.strict {
            it.required("schema_version", Readers.int(SCHEMA_VERSION, SCHEMA_VERSION))
            LatencyReport(
                harness = it.required("harness", HarnessFact.read),
                created = it.required("created", CREATED),
                nonce = it.optional("nonce", Readers.words),
                command = it.optional("command", "", Readers.words),
                machine = it.required("machine", MachineFact.read),
                before = it.required("before", StateFact.read),
                after = it.required("after", StateFact.read),
                protocol = it.required("protocol", ProtocolFact.read),
                peak = it.optional("peak", PeakFact.read),
                cells = it.required("cells", Readers.list(CellFact.read, 1, 10_000)),
            )
        }

        /**
         * Return the report that some bytes hold.
         *
         * @throws ContractError it is not a report, or one of another schema version.
         */
        public fun read(bytes: ByteArray): LatencyReport {
            val value = JsonReader.read(bytes)
            SchemaVersion.check(value, SCHEMA_VERSION, "measure again with this version")
            return read(value, ContractError.WHOLE)
        }
    }
}
