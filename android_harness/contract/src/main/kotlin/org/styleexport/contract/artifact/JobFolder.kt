package org.styleexport.contract.artifact

import java.io.File
import java.io.IOException
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.Patterns
import org.styleexport.contract.facts.knownPaths
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.measure.ErrorText

/**
 * Exchange folder of one job: the host pushes to `jobs/` and `artifacts/` and pulls from
 * `reports/`.
 *
 * @property root app-owned folder of all three; nothing outside it is read or written.
 * @property nonce nonce of the job.
 */
public class JobFolder private constructor(private val root: File, public val nonce: String) {
    /**
     * Return the job.
     *
     * @throws BadArtifact the job is missing, damaged, or has another nonce.
     */
    public fun job(): JobFact {
        val path = File(root, "$JOBS/$nonce.json")
        val job = try {
            JobFact.read(path.readBytes())
        } catch (error: ContractError) {
            throw BadArtifact("the job is invalid: ${error.message}", error)
        } catch (error: IOException) {
            throw BadArtifact("the job cannot be read: ${ErrorText.reason(error)}", error)
        }
        if (job.nonce != nonce) throw BadArtifact("the job's nonce is not that of its file name")
        return job
    }

    /**
     * Return an artifact that the host pushed; the files that the job uses are checked.
     *
     * @param path `artifacts/<name>`, as the host sent it.
     * @throws BadArtifact the path leaves the folder, holds no artifact, or a file is missing or
     *   altered.
     */
    public fun artifact(path: String, job: JobFact): Artifact {
        val artifact = Artifact.open(below(root, ARTIFACTS, path))
        artifact.check(job.cells.flatMap { listOf(it.subject.path, it.probe) })
        val known = artifact.manifest.knownPaths
        job.cells.forEach {
            if (known[it.subject.path] != it.subject.sha256) {
                throw BadArtifact("${it.subject.path} is not the file that the job names")
            }
        }
        return artifact
    }

    /** Write a progress line; a failure to write is ignored. */
    public fun writeProgress(line: String) {
        try {
            AtomicFile.write(reportFile("progress"), "${ErrorText.line(line)}\n".toByteArray())
        } catch (_: IOException) {
            // The report follows all the same.
        }
    }

    /** Write the report. */
    @Throws(IOException::class)
    public fun writeReport(report: LatencyReport): Unit =
        AtomicFile.write(reportFile("json"), report.encoded())

    /** Write the reason why there is no report, in one line. */
    @Throws(IOException::class)
    public fun writeError(reason: String): Unit =
        AtomicFile.write(reportFile("error"), "${ErrorText.line(reason)}\n".toByteArray())

    private fun reportFile(extension: String) = File(root, "$REPORTS/$nonce.$extension")

    public companion object {
        private const val JOBS = "jobs"
        private const val ARTIFACTS = "artifacts"
        private const val REPORTS = "reports"

        /**
         * Return the exchange folder of a job.
         *
         * @param root folder that the host and the app share.
         * @param path `jobs/<nonce>.json`, as the host sent it.
         * @throws BadArtifact the path leaves the folder, or its name is not a nonce.
         */
        public fun of(root: File, path: String?): JobFolder {
            val name = path?.removePrefix("$JOBS/")?.removeSuffix(".json").orEmpty()
            if (path != "$JOBS/$name.json" || !Patterns.NONCE.regex.matches(name)) {
                throw BadArtifact("expected the extra `job` to be $JOBS/<nonce>.json")
            }
            below(root, JOBS, path)
            return JobFolder(root, name)
        }

        /** Return a file directly in a subfolder of the root; links out of it are refused. */
        private fun below(root: File, folder: String, path: String): File {
            val file = File(root, path).canonicalFile
            val place = File(root, folder).canonicalFile
            if (file.parentFile != place || path != "$folder/${file.name}") {
                throw BadArtifact("expected a path of the form $folder/<name>")
            }
            return file
        }
    }
}
