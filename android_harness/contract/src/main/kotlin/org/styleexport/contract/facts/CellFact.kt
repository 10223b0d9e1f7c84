package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonArray
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One file on one runner at one size: what was asked, what was got, and every sample.
 *
 * @property subject the file.
 * @property runner that ran it.
 * @property requested settings that were asked for.
 * @property effective settings as the runtime reports them, which may be others.
 * @property size of the picture.
 * @property batch pictures at once.
 * @property status MEASURED alone has samples.
 * @property message why it was not measured, in one line.
 * @property parity on the artifact's probe.
 * @property loadsNs of loading, from reading the file to being ready; the first is cold.
 * @property compileNs of building for the device, where the runtime does so apart from loading.
 * @property firstNs the first inference after loading.
 * @property warmUpNs inferences until it was warm, the first left out.
 * @property roundsNs inference, the samples of each round.
 * @property preNs from pictures in float32 [1, 3, H, W] to what the runtime takes, per sample.
 * @property postNs from what the runtime gives to float32 [1, 3, H, W], per sample.
 * @property peakRssBytes the most memory that the process held.
 * @property idleRssBytes that it held before the file was loaded.
 * @property energyJoules of the machine over all rounds of this cell.
 * @property placement share of the work by delegate, 0..1, where the system tells.
 * @property operations of a profiled run.
 * @property picture what it painted of the probe: a PNG or JPEG in base64.
 */
public data class CellFact(
    public val subject: SubjectFact,
    public val runner: String,
    public val requested: Map<String, String> = emptyMap(),
    public val effective: Map<String, String> = emptyMap(),
    public val size: SizeFact,
    public val batch: Int = 1,
    public val status: Status,
    public val message: String = "",
    public val parity: ParityFact? = null,
    public val loadsNs: List<Long> = emptyList(),
    public val compileNs: Long? = null,
    public val firstNs: Long? = null,
    public val warmUpNs: List<Long> = emptyList(),
    public val roundsNs: List<List<Long>> = emptyList(),
    public val preNs: List<Long> = emptyList(),
    public val postNs: List<Long> = emptyList(),
    public val peakRssBytes: Long? = null,
    public val idleRssBytes: Long? = null,
    public val energyJoules: Double? = null,
    public val placement: Map<String, Double> = emptyMap(),
    public val operations: List<OperationFact> = emptyList(),
    public val picture: String? = null,
) {
    internal fun json(): JsonObject = Members.of {
        put("subject", subject.json())
        put("runner", runner)
        put("requested", requested)
        put("effective", effective)
        put("size", size.json())
        put("batch", batch.takeIf { it != 1 })
        put("status", status.text)
        put("message", message.takeIf { it != "" })
        put("parity", parity?.json())
        put("loads_ns", loadsNs, Members::number)
        put("compile_ns", compileNs)
        put("first_ns", firstNs)
        put("warm_up_ns", warmUpNs, Members::number)
        put("rounds_ns", roundsNs) { samples -> JsonArray(samples.map(Members::number)) }
        put("pre_ns", preNs, Members::number)
        put("post_ns", postNs, Members::number)
        put("peak_rss_bytes", peakRssBytes)
        put("idle_rss_bytes", idleRssBytes)
        put("energy_joules", energyJoules)
        if (placement.isNotEmpty()) {
            put("placement", JsonObject(placement.mapValues { Members.number(it.value) }))
        }
        put("operations", operations) { it.json() }
        put("picture", picture)
    }

    internal companion object {
        private const val MAX_SIDE = 16_384
        private val SAMPLES = Readers.list(Readers.nanoseconds, most = 1_000_000)
        private val ROUNDS = Readers.list(SAMPLES, most = 10_000)
        private val OPERATIONS = Readers.list(OperationFact.read, most = 5_000)
        private val PICTURE =
            Readers.matching(Regex("[A-Za-z0-9+/=]*"), "a picture in base64", longest = 400_000)

        val read: Read<CellFact> = Fields.strict {
            checked(it.where, CellFact(
                subject = it.required("subject", SubjectFact.read),
                runner = it.required("runner", Readers.words),
                requested = it.optional("requested", emptyMap(), Readers.facts),
                effective = it.optional("effective", emptyMap(), Readers.facts),
                size = it.required("size", SizeFact.read),
                batch = it.optional("batch", 1, Readers.int(1)),
                status = it.required("status", Status.read),
                message = it.optional("message", "", Readers.words),
                parity = it.optional("parity", ParityFact.read),
                loadsNs = it.optional("loads_ns", emptyList(), SAMPLES),
                compileNs = it.optional("compile_ns", Readers.nanoseconds),
                firstNs = it.optional("first_ns", Readers.nanoseconds),
                warmUpNs = it.optional("warm_up_ns", emptyList(), SAMPLES),
                roundsNs = it.optional("rounds_ns", emptyList(), ROUNDS),
                preNs = it.optional("pre_ns", emptyList(), SAMPLES),
                postNs = it.optional("post_ns", emptyList(), SAMPLES),
                peakRssBytes = it.optional("peak_rss_bytes", Readers.count),
                idleRssBytes = it.optional("idle_rss_bytes", Readers.count),
                energyJoules = it.optional("energy_joules", Readers.number),
                placement = it.optional("placement", emptyMap(), Readers.map(Readers.number)),
                operations = it.optional("operations", emptyList(), OPERATIONS),
                picture = it.optional("picture", PICTURE),
            ))
        }

        private fun checked(where: String, cell: CellFact): CellFact {
            if (cell.status == Status.MEASURED && cell.roundsNs.all(List<Long>::isEmpty)) {
                throw ContractError(where, "a cell that was measured must hold samples")
            }
            if (maxOf(cell.size.height, cell.size.width) > MAX_SIDE) {
                throw ContractError(where, "sides are at most $MAX_SIDE pixels")
            }
            return cell
        }
    }
}
