package org.styleexport.harness.work

import java.io.Closeable
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.ParityFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.measure.OwnJob
import org.styleexport.contract.measure.Proof
import org.styleexport.contract.measure.Session
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.engine.Engines

/** A loaded file that computed its probe as its network does, on this phone and this delegate. */
class ProvenFile private constructor(
    private val file: FileFact,
    private val size: SizeFact,
    private val delegate: Delegates,
    private val session: Session,
    parity: ParityFact,
) : Closeable {
    /** What really runs it, and how near it came to the network. */
    val told: String = buildList {
        val effective = session.effective
        add("${effective["engine"]}, ${effective["delegate"]}")
        session.placement.forEach { (unit, share) -> add("$unit ${(100 * share).toInt()} %") }
        effective["coverage"]?.let { add("$it of the file") }
        add("${parity.measuredDb} dB on the probe")
    }.joinToString(" · ")

    /** Whether it is the one that is wanted. */
    fun isFor(file: FileFact, size: SizeFact, delegate: Delegates): Boolean =
        this.file == file && this.size == size && this.delegate == delegate

    /** Return what the file computes. */
    fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
        session.feed(inputs)
        session.invoke()
        return session.fetch()
    }

    override fun close(): Unit = session.close()

    companion object {
        private const val RUNNER = "android"

        /**
         * Return a file, loaded and proven.
         *
         * @throws BadArtifact it has no probe, was altered, or fails the probe.
         */
        fun open(
            artifact: Artifact, file: FileFact, size: SizeFact, delegate: Delegates,
            engines: Engines,
        ): ProvenFile {
            val probes = artifact.manifest.probesOf(file)
            val probe = probes.firstOrNull { it.size == size } ?: probes.firstOrNull()
                ?: throw BadArtifact("${file.path} has no probe: export the network again")
            artifact.check(listOf(file.path, probe.path))
            val settings = mapOf(Delegates.SETTING to delegate.text)
            val wish = OwnJob.wish(artifact.manifest, file, probe, settings)
            val session = engines.open(artifact, wish, null)
            try {
                val parity = Proof.of(session, wish, artifact.tensors(probe.path), RUNNER)
                if (!parity.passed) {
                    throw BadArtifact(
                        "${file.path} is wrong on ${delegate.text}: ${parity.measuredDb} dB on " +
                            "the probe, at least ${parity.allowedDb} allowed: choose another",
                    )
                }
                if (probe.size == size) return ProvenFile(file, size, delegate, session, parity)
                session.close()
                val resized = engines.open(artifact, wish.copy(size = size), null)
                return ProvenFile(file, size, delegate, resized, parity)
            } catch (error: Throwable) {
                session.close()
                throw error
            }
        }
    }
}
