package org.styleexport.contract

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.measure.Session

/**
 * Answers with what it was told to, and counts.
 *
 * @property run what an inference does; its argument is the number of the run, from 1.
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
