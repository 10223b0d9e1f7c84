package org.styleexport.harness.work

import android.content.Context
import android.util.Log
import java.io.File
import org.styleexport.contract.artifact.JobFolder
import org.styleexport.contract.measure.Cancelled
import org.styleexport.contract.measure.ErrorText
import org.styleexport.harness.device.AndroidBenchDevice
import org.styleexport.harness.device.DeviceInfo

/**
 * Job of a host: read, measured and answered in the app's external files folder.
 *
 * @param job `jobs/<nonce>.json`.
 * @param artifact `artifacts/<name>`.
 * @param onProgress receives progress lines, on the worker.
 */
class HostJob(
    private val context: Context,
    private val job: String?,
    private val artifact: String?,
    private val onProgress: (String) -> Unit,
) {
    @Volatile
    private var isCancelled = false

    /** Cancel the job: measurements in the background are not comparable. */
    fun cancel() {
        isCancelled = true
    }

    /** Measure and write the report or an error; it throws nothing, as nobody would catch it. */
    fun run() {
        val root = context.getExternalFilesDir(null) ?: return warn("no external storage", null)
        val folder = try {
            JobFolder.of(root, job)
        } catch (error: Exception) {
            // Without a nonce there is no file for the error; the log has it.
            return warn("a job was refused", error)
        }
        try {
            measure(folder)
        } catch (error: Cancelled) {
            fail(folder, "the app was left: keep it in front and the screen on", error)
        } catch (error: Exception) {
            fail(folder, ErrorText.reason(error), error)
        } catch (error: OutOfMemoryError) {
            fail(folder, "out of memory", error)
        } catch (error: LinkageError) {
            fail(folder, "a runtime is not in this app: ${ErrorText.reason(error)}", error)
        }
    }

    private fun measure(folder: JobFolder) {
        val job = folder.job()
        val artifact = folder.artifact(artifact.orEmpty(), job)
        val device = AndroidBenchDevice(
            artifact,
            onProgress = { line ->
                folder.writeProgress(line)
                onProgress(line)
            },
            cancelled = { isCancelled },
        )
        folder.writeReport(DeviceInfo(context).reportBuilder().measure(job, device))
    }

    private fun fail(folder: JobFolder, reason: String, error: Throwable) {
        warn(reason, error)
        runCatching { folder.writeError(reason) }
            .onFailure { warn("the error could not be written", it) }
    }

    private fun warn(reason: String, error: Throwable?) {
        Log.w(TAG, reason, error)
    }

    companion object {
        private const val TAG = "styleexport"

        /** Create the folder that the host pushes jobs to. */
        fun createFolder(context: Context) {
            context.getExternalFilesDir(null)?.let { File(it, "jobs").mkdirs() }
        }
    }
}
