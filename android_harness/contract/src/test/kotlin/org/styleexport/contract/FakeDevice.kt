package org.styleexport.contract

import java.io.File
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.measure.BenchDevice
import org.styleexport.contract.measure.Clock
import org.styleexport.contract.measure.ProcessMemory
import org.styleexport.contract.measure.Session

/**
 * Device whose clock advances only by its own work.
 *
 * @property loading duration of loading in nanoseconds.
 * @property probes returns the tensors of a cell's probe.
 * @property make returns the session of a cell, or throws.
 */
internal class FakeDevice(
    artifact: Artifact,
    override val memory: ProcessMemory = ProcessMemory(File("/nowhere")),
    private val loading: Long = 1000,
    private val probes: (JobCell) -> Map<String, Tensor> = { artifact.tensors(it.probe) },
    private val make: FakeDevice.(JobCell) -> Session,
) : BenchDevice {
    private var time = 0L
    val lines = ArrayList<String>()
    val opened = ArrayList<FakeSession>()
    var cancelAfter = Int.MAX_VALUE

    override val clock = Clock { time }
    override val isCancelled: Boolean get() = lines.size >= cancelAfter

    fun tick(nanoseconds: Long) {
        time += nanoseconds
    }

    override fun open(cell: JobCell, threads: Int?): Session {
        tick(loading)
        return make(cell).also { if (it is FakeSession) opened.add(it) }
    }

    override fun probe(cell: JobCell): Map<String, Tensor> = probes(cell)

    override fun thumbnail(outputs: Map<String, Tensor>, cell: JobCell): String? = null

    override fun progress(line: String) {
        lines.add(line)
    }

    /** Return a session whose outputs are the probe's; `run` gives each run's nanoseconds. */
    fun right(cell: JobCell, run: (Int) -> Long = { 100 }) = FakeSession(probe(cell), ::tick, run)
}

/**
 * Session with fixed outputs, which counts its runs.
 *
 * @property run returns the nanoseconds of a run by its number, from 1.
 */
internal class FakeSession(
    private val outputs: Map<String, Tensor>,
    private val tick: (Long) -> Unit,
    private val run: (Int) -> Long,
) : Session {
    var runs = 0
        private set
    var isClosed = false
        private set

    override val effective = mapOf("engine" to "fake", "delegate" to "cpu")
    override val compileNs = 7L
    override val placement = mapOf("cpu" to 1.0)

    override fun feed(inputs: Map<String, Tensor>) {
        check(!isClosed) { "fed when closed" }
        tick(FEEDING)
    }

    override fun invoke() {
        runs += 1
        tick(run(runs))
    }

    override fun fetch(): Map<String, Tensor> = outputs.also { tick(FETCHING) }

    override fun close() {
        check(!isClosed) { "closed twice" }
        isClosed = true
    }

    companion object {
        const val FEEDING = 20L
        const val FETCHING = 30L
    }
}
