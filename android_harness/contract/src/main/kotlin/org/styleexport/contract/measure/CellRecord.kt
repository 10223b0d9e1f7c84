package org.styleexport.contract.measure

import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.ParityFact
import org.styleexport.contract.facts.Status

/** What is known of a cell while it is measured. */
internal class CellRecord(val wish: CellWish, val runner: String) {
    var status: Status = Status.FAILED
        private set
    private var message = ""
    private var compileNs: Long? = null
    private var placement: Map<String, Double> = emptyMap()
    private val rounds = ArrayList<List<Timing>>()
    val loadsNs = ArrayList<Long>()
    private var effective: Map<String, String> = emptyMap()
    var parity: ParityFact? = null
    var firstNs: Long? = null
    var warmUpNs: List<Long> = emptyList()
    var picture: String? = null
    var idleBytes: Long? = null
    var peakBytes: Long? = null

    /** Note one round. */
    fun add(round: List<Timing>) {
        rounds.add(round)
        status = Status.MEASURED
    }

    /** Note what the loaded file tells of itself. */
    fun note(opened: Session) {
        effective = opened.effective
        compileNs = opened.compileNs
        placement = opened.placement
    }

    /** Note why there is nothing to tell; samples so far are dropped. */
    fun end(status: Status, reason: String?) {
        this.status = status
        message = Words.line(reason?.takeIf { it.isNotBlank() } ?: "the runtime gave no reason")
        rounds.clear()
        warmUpNs = emptyList()
        firstNs = null
    }

    /** Return what the report says. */
    fun fact(): CellFact = CellFact(
        subject = wish.subject,
        runner = runner,
        requested = wish.requested,
        effective = effective,
        size = wish.size,
        status = status,
        message = message,
        parity = parity,
        loadsNs = loadsNs,
        compileNs = compileNs,
        firstNs = firstNs,
        warmUpNs = warmUpNs,
        roundsNs = rounds.map { round -> round.map(Timing::run) },
        preNs = rounds.flatten().map(Timing::pre),
        postNs = rounds.flatten().map(Timing::post),
        peakRssBytes = peakBytes.takeIf { status == Status.MEASURED },
        idleRssBytes = idleBytes.takeIf { status == Status.MEASURED },
        placement = placement,
        picture = picture,
    )
}
