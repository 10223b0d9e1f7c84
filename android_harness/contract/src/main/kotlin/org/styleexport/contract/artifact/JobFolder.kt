package org.styleexport.contract.artifact

import java.io.File
import java.io.IOException
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.measure.Words

/**
 * Where the host leaves jobs and finds reports: `jobs/`, `artifacts/` and `reports/` of a folder
 * that is the app's own.
 *
 * @property root of all; nothing outside it is read or written.
 * @property nonce of the one job that this is about.
 */
public class JobFolder private constructor(private val root: File, public val nonce: String) {
    /**
     * Return the job.
     *
     * @throws BadArtifact it is missing, damaged, or bears another nonce.
     */
    public fun job(): JobFact {
        val path = File(root, "$JOBS/$nonce.json")
        val job = try {
            JobFact.read(path.readBytes())
        } catch (error: ContractError) {
            throw BadArtifact("the job is bad: ${error.message}", error)
        } catch (error: IOException) {
            throw BadArtifact("the job cannot be read: ${Words.reason(error)}", error)
        }
        if (job.nonce != nonce) throw BadArtifact("the job bears another nonce than its name")
        return job
    }

    /**
     * Return an artifact that the host left, its files that a job uses checked.
     *
     * @param path `artifacts/<name>`, as the host says it.
     * @throws BadArtifact it lies elsewhere, is none, or a file of it is missing or altered.
     */
    public fun artifact(path: String, job: JobFact): Artifact {
        val artifact = Artifact.open(below(root, ARTIFACTS, path))
        artifact.check(job.cells.flatMap { listOf(it.subject.path, it.probe) })
        val known = artifact.manifest.knownPaths
        job.cells.forEach {
            if (known[it.subject.path] != it.subject.sha256) {
                throw BadArtifact("${it.subject.path} is not the file that the job speaks of")
            }
        }
        return artifact
    }

    /** Say how far the work is; what cannot be said is no reason to stop. */
    public fun say(line: String) {
        try {
            Written.whole(answer("progress"), "${Words.line(line)}\n".toByteArray())
        } catch (_: IOException) {
            // The report still comes.
        }
    }

    /** Leave the report. */
    @Throws(IOException::class)
    public fun leave(report: LatencyReport): Unit = Written.whole(answer("json"), report.encoded())

    /** Leave the reason why there is no report, in one line. */
    @Throws(IOException::class)
    public fun leaveError(reason: String): Unit =
        Written.whole(answer("error"), "${Words.line(reason)}\n".toByteArray())

    private fun answer(suffix: String) = File(root, "$REPORTS/$nonce.$suffix")

    public companion object {
        private const val JOBS = "jobs"
        private const val ARTIFACTS = "artifacts"
        private const val REPORTS = "reports"

        /**
         * Return the folder of a job.
         *
         * @param root that the host and the app share.
         * @param path `jobs/<nonce>.json`, as the host says it.
         * @throws BadArtifact it lies elsewhere, or its name is no nonce.
         */
        public fun of(root: File, path: String?): JobFolder {
            val name = path?.removePrefix("$JOBS/")?.removeSuffix(".json").orEmpty()
            if (path != "$JOBS/$name.json" || !JobFact.NONCE.matches(name)) {
                throw BadArtifact("expected the extra `job` to be $JOBS/<nonce>.json")
            }
            below(root, JOBS, path)
            return JobFolder(root, name)
        }

        /** Return a file of a folder of the root; links that lead out of it are refused. */
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
