package org.styleexport.harness.device

import android.os.SystemClock
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.measure.Bench
import org.styleexport.contract.measure.Clock
import org.styleexport.contract.measure.ProcessMemory
import org.styleexport.contract.measure.Session
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps

/** What this phone lends to a measurement of one artifact. */
class DeviceBench(
    private val artifact: Artifact,
    private val tell: (String) -> Unit,
    private val cancelled: () -> Boolean,
) : Bench {
    private val engines = Engines()

    override val clock: Clock = Clock(SystemClock::elapsedRealtimeNanos)
    override val memory: ProcessMemory = ProcessMemory()
    override val isCancelled: Boolean get() = cancelled()

    override fun open(wish: CellWish, threads: Int?): Session =
        engines.open(artifact, wish, threads)

    override fun probe(wish: CellWish): Map<String, Tensor> = artifact.tensors(wish.probe)

    override fun paint(outputs: Map<String, Tensor>, wish: CellWish): String? {
        val fact = wish.outputs.first()
        if (fact.kind != TensorKind.IMAGE) return null
        return outputs[fact.name]?.let { Bitmaps.small(it, WIDEST) }
    }

    override fun say(line: String): Unit = tell(line)

    companion object {
        /** Of the clock, for the report. */
        const val CLOCK = "SystemClock.elapsedRealtimeNanos"
        private const val WIDEST = 256
    }
}
