package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.ParityFact

/** Results of a cell while it is measured. */
internal class CellRecord(val cell: JobCell, val runner: String) {
    var status: CellStatus = CellStatus.FAILED
        private set
    private var message = ""
    private var compileNs: Long? = null
    private var placement: Map<String, Double> = emptyMap()
    private var effective: Map<String, String> = emptyMap()
    private val rounds = ArrayList<List<TimedRun>>()
    val loadsNs = ArrayList<Long>()
    var parity: ParityFact? = null
    var firstNs: Long? = null
    var warmUpNs: List<Long> = emptyList()
    var picture: String? = null
    var idleBytes: Long? = null
    var peakBytes: Long? = null

    /** Add the samples of one round. */
    fun add(round: List<TimedRun>) {
        rounds.add(round)
        status = CellStatus.MEASURED
    }

    /** Record what the runtime reports about the loaded file. */
    fun describe(session: Session) {
        effective = session.effective
        compileNs = session.compileNs
        placement = session.placement
    }

    /** Record why the cell has no result, and drop its samples. */
    fun fail(status: CellStatus, reason: String?) {
        this.status = status
        message = ErrorText.line(reason?.takeIf { it.isNotBlank() } ?: "the runtime gave no reason")
        rounds.clear()
        warmUpNs = emptyList()
        firstNs = null
    }

    /** Return the cell for the report. */
    fun fact(): CellFact = CellFact(
        subject = cell.subject,
        runner = runner,
        requested = cell.requested,
        effective = effective,
        size = cell.size,
        status = status,
        message = message,
        parity = parity,
        loadsNs = loadsNs,
        compileNs = compileNs,
        firstNs = firstNs,
        warmUpNs = warmUpNs,
        roundsNs = rounds.map { round -> round.map(TimedRun::run) },
        preNs = rounds.flatten().map(TimedRun::pre),
        postNs = rounds.flatten().map(TimedRun::post),
        peakRssBytes = peakBytes.takeIf { status == CellStatus.MEASURED },
        idleRssBytes = idleBytes.takeIf { status == CellStatus.MEASURED },
        placement = placement,
        picture = picture,
    )
}

/**
 * One run of a session and the duration of its parts in nanoseconds.
 *
 * @property outputs outputs by name.
 * @property pre duration of `feed`: conversion from tensors to the runtime's buffers.
 * @property run duration of `invoke`: the inference.
 * @property post duration of `fetch`: conversion from the runtime's buffers to tensors.
 */
public class TimedRun(
    public val outputs: Map<String, Tensor>,
    public val pre: Long,
    public val run: Long,
    public val post: Long,
) {
    /** Return the durations alone: the outputs of all samples would fill the memory. */
    internal fun withoutOutputs(): TimedRun = TimedRun(emptyMap(), pre, run, post)

    public companion object {
        /** Run a session once. */
        public fun of(session: Session, inputs: Map<String, Tensor>, clock: Clock): TimedRun {
            val begin = clock.now()
            session.feed(inputs)
            val fed = clock.now()
            session.invoke()
            val invoked = clock.now()
            val outputs = session.fetch()
            val end = clock.now()
            return TimedRun(outputs, fed - begin, invoked - fed, end - invoked)
        }
    }
}
