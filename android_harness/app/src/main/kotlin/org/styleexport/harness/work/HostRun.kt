package org.styleexport.harness.work

import android.content.Context
import android.util.Log
import java.io.File
import org.styleexport.contract.artifact.JobFolder
import org.styleexport.contract.measure.Cancelled
import org.styleexport.contract.measure.Words
import org.styleexport.harness.device.DeviceBench
import org.styleexport.harness.device.Phone

/**
 * One job that a host asks for: read, measured, answered, all below one folder of this app's own.
 *
 * @param job `jobs/<nonce>.json`.
 * @param artifact `artifacts/<name>`.
 * @param tell is told how far the work is, on the worker.
 */
class HostRun(
    private val context: Context,
    private val job: String?,
    private val artifact: String?,
    private val tell: (String) -> Unit,
) {
    @Volatile
    private var isLeft = false

    /** End the work: what is measured behind another app is not worth having. */
    fun leave() {
        isLeft = true
    }

    /** Do the work and leave its answer; nothing is thrown, since nobody is there to be told. */
    fun run() {
        val root = context.getExternalFilesDir(null) ?: return warn("no external storage", null)
        val folder = try {
            JobFolder.of(root, job)
        } catch (error: Exception) {
            // Without a nonce there is no place for an answer; the log has the reason.
            return warn("a job was refused", error)
        }
        try {
            measure(folder)
        } catch (error: Cancelled) {
            answer(folder, "the app was left: keep it in front and the screen on", error)
        } catch (error: Exception) {
            answer(folder, Words.reason(error), error)
        } catch (error: OutOfMemoryError) {
            answer(folder, "out of memory", error)
        } catch (error: LinkageError) {
            answer(folder, "a runtime is not in this app: ${Words.reason(error)}", error)
        }
    }

    private fun measure(folder: JobFolder) {
        val job = folder.job()
        val held = folder.artifact(artifact.orEmpty(), job)
        val say = { line: String -> folder.say(line).also { tell(line) } }
        folder.leave(Phone(context).reports().of(job, DeviceBench(held, say) { isLeft }))
    }

    private fun answer(folder: JobFolder, reason: String, error: Throwable) {
        warn(reason, error)
        runCatching { folder.leaveError(reason) }.onFailure { warn("no answer could be left", it) }
    }

    private fun warn(reason: String, error: Throwable?) {
        Log.w(TAG, reason, error)
    }

    companion object {
        private const val TAG = "styleexport"

        /** Make the folder that the host pushes into. */
        fun prepare(context: Context) {
            context.getExternalFilesDir(null)?.let { File(it, "jobs").mkdirs() }
        }
    }
}
