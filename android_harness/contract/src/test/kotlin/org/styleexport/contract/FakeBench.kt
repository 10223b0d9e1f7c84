package org.styleexport.contract

import java.io.File
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.measure.Bench
import org.styleexport.contract.measure.Clock
import org.styleexport.contract.measure.ProcessMemory
import org.styleexport.contract.measure.Session

/**
 * A device whose clock only its own work moves.
 *
 * @property loading nanoseconds that loading takes.
 * @property make a session for a wish, or what it throws.
 */
internal class FakeBench(
    private val artifact: Artifact,
    override val memory: ProcessMemory = ProcessMemory(File("/nowhere")),
    private val loading: Long = 1000,
    private val make: FakeBench.(CellWish) -> Session,
) : Bench {
    private var time = 0L
    val said = ArrayList<String>()
    val opened = ArrayList<FakeSession>()
    var cancelAfter = Int.MAX_VALUE

    override val clock = Clock { time }
    override val isCancelled: Boolean get() = said.size >= cancelAfter

    fun tick(nanoseconds: Long) {
        time += nanoseconds
    }

    override fun open(wish: CellWish, threads: Int?): Session {
        tick(loading)
        return make(wish).also { if (it is FakeSession) opened.add(it) }
    }

    override fun probe(wish: CellWish): Map<String, Tensor> = artifact.tensors(wish.probe)

    override fun paint(outputs: Map<String, Tensor>, wish: CellWish): String? = null

    override fun say(line: String) {
        said.add(line)
    }

    /** Return a session that computes what the probe expects, each run in so many nanoseconds. */
    fun right(wish: CellWish, run: (Int) -> Long = { 100 }) = FakeSession(probe(wish), ::tick, run)
}
