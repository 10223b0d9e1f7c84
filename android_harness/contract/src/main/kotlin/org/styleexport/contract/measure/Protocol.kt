package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.Status

/**
 * The protocol of the desktop bench on a phone: every cell proven, warmed, then timed in turns.
 *
 * @param plan how to measure.
 * @param bench what the device lends.
 * @param runner that cells name whose wish names none.
 */
public class Protocol(
    private val plan: PlanFact, private val bench: Bench, private val runner: String,
) {
    private val random = Mulberry32(plan.seed)

    private class Player(
        val record: CellRecord, val session: Session, val inputs: Map<String, Tensor>,
    )

    /**
     * Measure cells; return them as the report has them, in the order given.
     *
     * @throws Cancelled the bench says so.
     */
    public fun measure(wishes: List<CellWish>): List<CellFact> {
        val records = wishes.map { CellRecord(it, it.runner.ifEmpty { runner }) }
        for (group in Groups.of(records) { it.wish.size }) {
            val players = ArrayList<Player>()
            try {
                for (record in group) attempt(record) { prepared(record)?.let(players::add) }
                takeTurns(players)
            } finally {
                players.forEach { quietly(it.session::close) }
            }
        }
        return records.map(CellRecord::fact)
    }

    /** Note what goes wrong with one cell, so that the others go on. */
    private fun attempt(record: CellRecord, action: () -> Unit) {
        try {
            action()
        } catch (cancelled: Cancelled) {
            throw cancelled
        } catch (error: EngineUnavailable) {
            record.end(Status.UNAVAILABLE, Words.reason(error))
        } catch (error: LinkageError) {
            record.end(Status.UNAVAILABLE, "the runtime is not in this app: ${Words.reason(error)}")
        } catch (error: OutOfMemoryError) {
            record.end(Status.OUT_OF_MEMORY, Words.reason(error))
        } catch (error: Exception) {
            val reason = Words.reason(error)
            val isMemory = Words.tellsOfMemory(reason)
            record.end(if (isMemory) Status.OUT_OF_MEMORY else Status.FAILED, reason)
        }
    }

    /** Load a file twice, prove it on its probe, warm it; null where it computes something else. */
    private fun prepared(record: CellRecord): Player? {
        val wish = record.wish
        say("${wish.subject.path}: loading")
        record.idleBytes = bench.memory.heldBytes()
        val isFresh = bench.memory.begin()
        load(record).close()
        val session = load(record)
        try {
            record.note(session)
            val probe = bench.probe(wish)
            val inputs = Proof.inputs(wish, probe)
            val first = Timing.of(session, inputs, bench.clock)
            if (!proven(record, first, probe)) return null.also { session.close() }
            record.firstNs = first.run
            record.picture = bench.paint(first.outputs, wish)
            say("${wish.subject.path}: warming up")
            record.warmUpNs = warmUp(session, inputs)
            record.peakBytes = bench.memory.peakBytes(isFresh)
            return Player(record, session, inputs)
        } catch (error: Throwable) {
            quietly(session::close)
            throw error
        }
    }

    private fun load(record: CellRecord): Session {
        val begin = bench.clock.now()
        val session = bench.open(record.wish, plan.threads)
        record.loadsNs.add(bench.clock.now() - begin)
        return session
    }

    private fun proven(record: CellRecord, first: Timing, probe: Map<String, Tensor>): Boolean {
        val wish = record.wish
        val parity = Proof.of(first.outputs, wish, probe, record.runner)
        record.parity = parity
        if (parity.passed) return true
        record.end(
            Status.WRONG,
            "differs from its network: psnr ${parity.measuredDb} dB measured, at least " +
                "${parity.allowedDb} allowed",
        )
        return false
    }

    private fun warmUp(session: Session, inputs: Map<String, Tensor>): List<Long> {
        val samples = ArrayList<Long>()
        val begin = bench.clock.now()
        while (true) {
            stopIfCancelled()
            samples.add(Timing.of(session, inputs, bench.clock).run)
            val seconds = (bench.clock.now() - begin) / NANOSECONDS
            val isStable = seconds >= plan.warmUpLeastSeconds &&
                WarmUp.isStable(samples, plan.window, plan.tolerance)
            val isOver = seconds >= plan.warmUpSeconds && samples.size >= WarmUp.LEAST_RUNS
            if (isStable || isOver) return samples
        }
    }

    private fun takeTurns(players: MutableList<Player>) {
        for (round in 1..plan.rounds) {
            for (player in random.shuffled(players)) {
                say("round $round of ${plan.rounds}: ${player.record.wish.subject.path}")
                attempt(player.record) { player.record.add(turn(player)) }
                if (player.record.status != Status.MEASURED) {
                    players.remove(player)
                    quietly(player.session::close)
                }
            }
        }
    }

    /** Return the samples of one turn: at least so many, for at least so long. */
    private fun turn(player: Player): List<Timing> {
        repeat(plan.settlingRuns) { Timing.of(player.session, player.inputs, bench.clock) }
        val samples = ArrayList<Timing>()
        val end = bench.clock.now() + (NANOSECONDS * plan.seconds).toLong()
        while (samples.size < plan.minSamples || bench.clock.now() < end) {
            stopIfCancelled()
            samples.add(Timing.of(player.session, player.inputs, bench.clock).withoutOutputs())
        }
        return samples
    }

    private fun say(line: String) {
        stopIfCancelled()
        bench.say(line)
    }

    private fun stopIfCancelled() {
        if (bench.isCancelled) throw Cancelled()
    }

    /** A session that cannot be closed is no reason to lose what was measured. */
    private fun quietly(close: () -> Unit) {
        try {
            close()
        } catch (_: Exception) {
            // Nothing is left to be done with it.
        }
    }

    private companion object {
        const val NANOSECONDS = 1e9
    }
}
