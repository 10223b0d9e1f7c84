package org.styleexport.harness.device

import android.os.SystemClock
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.measure.BenchDevice
import org.styleexport.contract.measure.Clock
import org.styleexport.contract.measure.ProcessMemory
import org.styleexport.contract.measure.Session
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps

/** Device services of this phone for the files of one artifact. */
class AndroidBenchDevice(
    private val artifact: Artifact,
    private val onProgress: (String) -> Unit,
    private val cancelled: () -> Boolean,
) : BenchDevice {
    private val engines = Engines()

    override val clock: Clock = Clock(SystemClock::elapsedRealtimeNanos)
    override val memory: ProcessMemory = ProcessMemory()
    override val isCancelled: Boolean get() = cancelled()

    override fun open(cell: JobCell, threads: Int?): Session =
        engines.open(artifact, cell, threads)

    override fun probe(cell: JobCell): Map<String, Tensor> = artifact.tensors(cell.probe)

    override fun thumbnail(outputs: Map<String, Tensor>, cell: JobCell): String? {
        val fact = cell.outputs.first()
        if (fact.kind != TensorKind.IMAGE) return null
        return outputs[fact.name]?.let { Bitmaps.thumbnail(it, MAX_WIDTH) }
    }

    override fun progress(line: String): Unit = onProgress(line)

    companion object {
        /** Name of the clock in reports. */
        const val CLOCK = "SystemClock.elapsedRealtimeNanos"
        private const val MAX_WIDTH = 256
    }
}
