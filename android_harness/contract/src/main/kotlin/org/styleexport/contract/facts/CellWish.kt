package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonText
import org.styleexport.contract.json.JsonValue
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One file at one size: what it is, what it takes and gives, and the probe that proves it.
 *
 * @property subject the file, as the report must name it.
 * @property runner that the report must name; empty is that of the device.
 * @property requested settings of it, such as a delegate; the report repeats them.
 * @property size of the picture.
 * @property probe below the artifact directory; it holds inputs and outputs by name.
 * @property inputs in order.
 * @property outputs in order.
 * @property allowedDb the least PSNR on the probe; a file below it gets no samples.
 */
public data class CellWish(
    public val subject: SubjectFact,
    public val runner: String,
    public val requested: Map<String, String>,
    public val size: SizeFact,
    public val probe: String,
    public val inputs: List<TensorFact>,
    public val outputs: List<TensorFact>,
    public val allowedDb: Double,
) {
    internal companion object {
        val read: Read<CellWish> = Fields.open {
            CellWish(
                subject = it.required("subject", ::subject),
                runner = it.optional("runner", "", Readers.words),
                requested = it.optional("requested", emptyMap(), Readers.facts),
                size = it.required("size", SizeFact.read),
                probe = it.required("probe", Readers.path),
                inputs = it.required("inputs", Readers.list(TensorFact.read, least = 1)),
                outputs = it.required("outputs", Readers.list(TensorFact.read, least = 1)),
                allowedDb = it.required("allowed_db", Readers.number),
            )
        }

        /** A report may name any path; a job opens it, so it must lie in the artifact. */
        private fun subject(value: JsonValue, where: String): SubjectFact {
            val subject = SubjectFact.read(value, where)
            Readers.path(JsonText(subject.path), "$where.path")
            return subject
        }
    }
}
