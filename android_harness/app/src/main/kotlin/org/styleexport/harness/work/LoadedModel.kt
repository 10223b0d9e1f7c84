package org.styleexport.harness.work

import java.io.Closeable
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.HarnessName
import org.styleexport.contract.facts.ParityFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.passed
import org.styleexport.contract.facts.probesOf
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.GpuPrecision
import org.styleexport.contract.measure.LiteRtApi
import org.styleexport.contract.measure.LiteRtRequest
import org.styleexport.contract.measure.LocalJob
import org.styleexport.contract.measure.ProbeCheck
import org.styleexport.contract.measure.Session
import org.styleexport.harness.engine.Engines

/** Loaded file that passed its probe on this phone with this delegate. */
class LoadedModel private constructor(
    private val file: FileFact,
    private val size: SizeFact,
    private val delegate: DelegateKind,
    private val session: Session,
    parity: ParityFact,
) : Closeable {
    /** Effective engine and delegate, placement, and PSNR on the probe, in one line. */
    val description: String = buildList {
        val effective = session.effective
        val what = listOf("engine", LiteRtApi.SETTING, DelegateKind.SETTING, GpuPrecision.SETTING)
        add(what.mapNotNull(effective::get).joinToString(", "))
        effective[LiteRtRequest.FALLBACK]?.let { add("in place of CompiledModel: $it") }
        session.placement.forEach { (unit, share) -> add("$unit ${(100 * share).toInt()} %") }
        effective["coverage"]?.let { add("$it of the file") }
        add("${parity.measuredDb} dB on the probe")
    }.joinToString(" · ")

    /** Whether this is a file at a size on a delegate. */
    fun matches(file: FileFact, size: SizeFact, delegate: DelegateKind): Boolean =
        this.file == file && this.size == size && this.delegate == delegate

    /** Run the file once; return its outputs by name. */
    fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
        session.feed(inputs)
        session.invoke()
        return session.fetch()
    }

    override fun close(): Unit = session.close()

    companion object {
        /**
         * Load a file and check it on its probe.
         *
         * @throws BadArtifact the file has no probe, was altered, or fails the probe.
         */
        fun open(
            artifact: Artifact, file: FileFact, size: SizeFact, delegate: DelegateKind,
            engines: Engines,
        ): LoadedModel {
            val probes = artifact.manifest.probesOf(file)
            val probe = probes.firstOrNull { it.size == size } ?: probes.firstOrNull()
                ?: throw BadArtifact("${file.path} has no probe: export the network again")
            artifact.check(listOf(file.path, probe.path))
            val settings = mapOf(DelegateKind.SETTING to delegate.text)
            val cell = LocalJob.cell(artifact.manifest, file, probe, settings)
            val session = engines.open(artifact, cell, null)
            try {
                val runner = HarnessName.ANDROID.serialName
                val parity = ProbeCheck.run(session, cell, artifact.tensors(probe.path), runner)
                if (!parity.passed) {
                    throw BadArtifact(
                        "${file.path} is wrong on ${delegate.text}: ${parity.measuredDb} dB on " +
                            "the probe, at least ${parity.allowedDb} allowed: choose another",
                    )
                }
                if (probe.size == size) return LoadedModel(file, size, delegate, session, parity)
                session.close()
                val resized = engines.open(artifact, cell.copy(size = size), null)
                return LoadedModel(file, size, delegate, resized, parity)
            } catch (error: Throwable) {
                session.close()
                throw error
            }
        }
    }
}
