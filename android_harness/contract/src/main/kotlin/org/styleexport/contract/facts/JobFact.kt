package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * All that a device is told.
 *
 * @property version of styleexport.
 * @property commit of it; null where nobody knows.
 * @property nonce that the report must bear; every job has a new one.
 * @property command that was typed; the report repeats it.
 * @property plan how to measure.
 * @property cells what to measure.
 */
public data class JobFact(
    public val version: String,
    public val commit: String?,
    public val nonce: String,
    public val command: String,
    public val plan: PlanFact,
    public val cells: List<CellWish>,
) {
    public companion object {
        /** What a nonce looks like: it is part of file names. */
        public val NONCE: Regex = Regex("[A-Za-z0-9_-]{8,64}")

        private val read: Read<JobFact> = Fields.open {
            it.required("schema_version", Readers.whole)
            JobFact(
                version = it.required("version", Readers.words),
                commit = it.optional("commit", Readers.words),
                nonce = it.required("nonce", Readers.matching(NONCE, "8 to 64 of A-Z a-z 0-9 _ -")),
                command = it.optional("command", "", Readers.words),
                plan = it.required("plan", PlanFact.read),
                cells = it.required("cells", Readers.list(CellWish.read, 1, 10_000)),
            )
        }

        /**
         * Return the job that some bytes hold.
         *
         * @throws ContractError it is not a job, or one for reports of another schema version.
         */
        public fun read(bytes: ByteArray): JobFact {
            val value = JsonReader.read(bytes)
            val remedy = "take app and command line from one release"
            SchemaVersion.check(value, LatencyReport.SCHEMA_VERSION, remedy)
            return read(value, ContractError.WHOLE)
        }
    }
}
