package org.styleexport.contract.measure

import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.ProbeFact
import org.styleexport.contract.facts.SubjectFact

/** What the app asks of itself, without a host: every file that it runs on every probe of it. */
public object OwnJob {
    /** Rounding a picture to 8 bits leaves 58.9 dB; such files are held to no more than this. */
    private const val ROUNDED_DB = 48.0

    /**
     * Return a job.
     *
     * @param files of the artifact, to be measured.
     * @param settings of the engine, for all of them.
     * @param nonce a new one.
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
            artifact.manifest.probesOf(file).map { wish(artifact.manifest, file, it, settings) }
        },
    )

    /** Return the wish for one file and one probe of it. */
    public fun wish(
        manifest: Manifest, file: FileFact, probe: ProbeFact, settings: Map<String, String>,
    ): CellWish = CellWish(
        subject = SubjectFact.of(manifest, file),
        runner = "",
        requested = settings,
        size = probe.size,
        probe = probe.path,
        inputs = file.inputs,
        outputs = file.outputs,
        allowedDb = allowedDb(file),
    )

    private fun allowedDb(file: FileFact): Double {
        val isRounded = file.outputs.first().dtype == ElementType.UINT8
        return if (isRounded) minOf(file.allowedDb, ROUNDED_DB) else file.allowedDb
    }
}
