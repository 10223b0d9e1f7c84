package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Parity
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.ParityFact
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.ProbeFact
import org.styleexport.contract.facts.allowedDb
import org.styleexport.contract.facts.probesOf
import org.styleexport.contract.facts.subjectOf

/** Comparison of a file's outputs with its probe, the golden outputs of its network. */
public object ProbeCheck {
    /**
     * Run a session on a probe and return its parity.
     *
     * @throws IllegalArgumentException a tensor is missing or has another shape.
     */
    public fun run(
        session: Session, cell: JobCell, probe: Map<String, Tensor>, runner: String,
    ): ParityFact {
        session.feed(inputs(cell, probe))
        session.invoke()
        return parity(session.fetch(), cell, probe, runner)
    }

    /** Return the parity of outputs: the PSNR of the worst, and the largest error of any. */
    internal fun parity(
        outputs: Map<String, Tensor>, cell: JobCell, probe: Map<String, Tensor>, runner: String,
    ): ParityFact {
        val all = cell.outputs.map { fact ->
            val output = tensor(outputs, fact.name, "the file's outputs")
            val reference = tensor(probe, fact.name, "the probe")
            Parity.of(fact, output, reference, runner, cell.allowedDb)
        }
        return all.first().copy(
            measuredDb = all.minOf(ParityFact::measuredDb),
            maxAbsError = all.maxOf(ParityFact::maxAbsError),
        )
    }

    /**
     * Return the parity of a painting in tiles.
     *
     * @param file last pass of the tiling.
     * @param painted painting of the probe's picture.
     */
    public fun parity(
        file: FileFact, painted: Tensor, probe: Map<String, Tensor>, runner: String,
    ): ParityFact {
        val fact = file.outputs.first()
        val allowed = LocalJob.allowedDb(file)
        return Parity.of(fact, painted, tensor(probe, fact.name, "the probe"), runner, allowed)
    }

    /** Return the inputs that a probe holds for a file. */
    internal fun inputs(cell: JobCell, probe: Map<String, Tensor>): Map<String, Tensor> =
        cell.inputs.associate { it.name to tensor(probe, it.name, "the probe") }

    private fun tensor(tensors: Map<String, Tensor>, name: String, where: String): Tensor =
        requireNotNull(tensors[name]) { "no tensor $name in $where" }
}

/** Job that the app gives itself, without a host: each file on each of its probes. */
public object LocalJob {
    /** Rounding an image to 8 bits costs up to 58.9 dB; such files need no more than this. */
    private const val ROUNDED_DB = 48.0

    /**
     * Return a job.
     *
     * @param files files of the artifact to measure.
     * @param settings requested settings of the engine, for all files.
     * @param nonce fresh nonce.
     */
    public fun of(
        artifact: Artifact, files: List<FileFact>, settings: Map<String, String>, plan: PlanFact,
        version: String, nonce: String,
    ): JobFact = JobFact(
        version = version,
        commit = null,
        nonce = nonce,
        command = "the app's benchmark",
        plan = plan,
        cells = files.flatMap { file ->
            artifact.manifest.probesOf(file).map { cell(artifact.manifest, file, it, settings) }
        },
    )

    /** Return the cell of one file and one of its probes. */
    public fun cell(
        manifest: Manifest, file: FileFact, probe: ProbeFact, settings: Map<String, String>,
    ): JobCell = JobCell(
        subject = manifest.subjectOf(file),
        requested = settings,
        size = probe.size,
        probe = probe.path,
        inputs = file.inputs,
        outputs = file.outputs,
        allowedDb = allowedDb(file),
    )

    internal fun allowedDb(file: FileFact): Double {
        val isRounded = file.outputs.first().dtype == ElementType.UINT8
        return if (isRounded) minOf(file.allowedDb, ROUNDED_DB) else file.allowedDb
    }
}
