package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.passed

/** The benchmark was cancelled. */
public class Cancelled : Exception("cancelled")

/**
 * Measuring protocol of the desktop benchmark: each cell is checked on its probe, warmed up, and
 * timed in interleaved rounds.
 *
 * @param plan rounds, durations and warm-up rule.
 * @param device device services.
 * @param runner runner name of cells that name none.
 */
public class Protocol(
    private val plan: PlanFact, private val device: BenchDevice, private val runner: String,
) {
    private val random = Mulberry32(plan.seed)

    private class LoadedCell(
        val record: CellRecord, val session: Session, val inputs: Map<String, Tensor>,
    )

    /**
     * Measure cells; return their results in the same order.
     *
     * @throws Cancelled the device was cancelled.
     */
    public fun measure(cells: List<JobCell>): List<CellFact> {
        val records = cells.map { CellRecord(it, it.runner.ifEmpty { runner }) }
        for (group in MemoryGroups.of(records) { it.cell.size }) {
            val loaded = ArrayList<LoadedCell>()
            try {
                for (record in group) attempt(record) { prepare(record)?.let(loaded::add) }
                runRounds(loaded)
            } finally {
                loaded.forEach { closeQuietly(it.session) }
            }
        }
        return records.map(CellRecord::fact)
    }

    /** Record a failure of one cell, so that the others continue. */
    private fun attempt(record: CellRecord, action: () -> Unit) {
        try {
            action()
        } catch (cancelled: Cancelled) {
            throw cancelled
        } catch (error: EngineUnavailable) {
            record.fail(CellStatus.UNAVAILABLE, ErrorText.reason(error))
        } catch (error: LinkageError) {
            val reason = "the runtime is not in this app: ${ErrorText.reason(error)}"
            record.fail(CellStatus.UNAVAILABLE, reason)
        } catch (error: OutOfMemoryError) {
            record.fail(CellStatus.OUT_OF_MEMORY, ErrorText.reason(error))
        } catch (error: Exception) {
            val reason = ErrorText.reason(error)
            val isMemory = ErrorText.isOutOfMemory(reason)
            record.fail(if (isMemory) CellStatus.OUT_OF_MEMORY else CellStatus.FAILED, reason)
        }
    }

    /** Load a file twice, check it on its probe and warm it up; null where the check fails. */
    private fun prepare(record: CellRecord): LoadedCell? {
        val cell = record.cell
        progress("${cell.subject.path}: loading")
        record.idleBytes = device.memory.residentBytes()
        val isReset = device.memory.resetPeak()
        load(record).close()
        val session = load(record)
        try {
            record.describe(session)
            val probe = device.probe(cell)
            val inputs = ProbeCheck.inputs(cell, probe)
            val first = TimedRun.of(session, inputs, device.clock)
            if (!passesProbe(record, first, probe)) return null.also { session.close() }
            record.firstNs = first.run
            record.picture = device.thumbnail(first.outputs, cell)
            progress("${cell.subject.path}: warming up")
            record.warmUpNs = warmUp(session, inputs)
            record.peakBytes = device.memory.peakBytes(isReset)
            return LoadedCell(record, session, inputs)
        } catch (error: Throwable) {
            closeQuietly(session)
            throw error
        }
    }

    private fun load(record: CellRecord): Session {
        val begin = device.clock.now()
        val session = device.open(record.cell, plan.threads)
        record.loadsNs.add(device.clock.now() - begin)
        return session
    }

    private fun passesProbe(
        record: CellRecord, first: TimedRun, probe: Map<String, Tensor>,
    ): Boolean {
        val parity = ProbeCheck.parity(first.outputs, record.cell, probe, record.runner)
        record.parity = parity
        if (parity.passed) return true
        record.fail(
            CellStatus.WRONG,
            "differs from its network: psnr ${parity.measuredDb} dB measured, at least " +
                "${parity.allowedDb} allowed",
        )
        return false
    }

    private fun warmUp(session: Session, inputs: Map<String, Tensor>): List<Long> {
        val samples = ArrayList<Long>()
        val begin = device.clock.now()
        while (true) {
            throwIfCancelled()
            samples.add(TimedRun.of(session, inputs, device.clock).run)
            val seconds = (device.clock.now() - begin) / NS_PER_SECOND
            val isStable = seconds >= plan.warmUpLeastSeconds &&
                WarmUp.isStable(samples, plan.window, plan.tolerance)
            val isOver = seconds >= plan.warmUpSeconds && samples.size >= WarmUp.MIN_RUNS
            if (isStable || isOver) return samples
        }
    }

    private fun runRounds(loaded: MutableList<LoadedCell>) {
        for (round in 1..plan.rounds) {
            for (cell in random.shuffled(loaded)) {
                progress("round $round of ${plan.rounds}: ${cell.record.cell.subject.path}")
                attempt(cell.record) { cell.record.add(turn(cell)) }
                if (cell.record.status != CellStatus.MEASURED) {
                    loaded.remove(cell)
                    closeQuietly(cell.session)
                }
            }
        }
    }

    /** Return the samples of one cell's turn: at least `minSamples`, for at least `seconds`. */
    private fun turn(cell: LoadedCell): List<TimedRun> {
        repeat(plan.settlingRuns) { TimedRun.of(cell.session, cell.inputs, device.clock) }
        val samples = ArrayList<TimedRun>()
        val end = device.clock.now() + (NS_PER_SECOND * plan.seconds).toLong()
        while (samples.size < plan.minSamples || device.clock.now() < end) {
            throwIfCancelled()
            samples.add(TimedRun.of(cell.session, cell.inputs, device.clock).withoutOutputs())
        }
        return samples
    }

    private fun progress(line: String) {
        throwIfCancelled()
        device.progress(line)
    }

    private fun throwIfCancelled() {
        if (device.isCancelled) throw Cancelled()
    }

    /** Close a session; a failure must not lose what was measured. */
    private fun closeQuietly(session: Session) {
        try {
            session.close()
        } catch (_: Exception) {
            // Nothing else can be done with the session.
        }
    }

    private companion object {
        const val NS_PER_SECOND = 1e9
    }
}
