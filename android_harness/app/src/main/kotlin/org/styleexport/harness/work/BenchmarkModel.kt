package org.styleexport.harness.work

import android.content.Context
import android.util.Base64
import java.io.File
import java.security.SecureRandom
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.AtomicFile
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.measure.Cancelled
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.ErrorText
import org.styleexport.contract.measure.LocalJob
import org.styleexport.harness.device.AndroidBenchDevice
import org.styleexport.harness.device.DeviceInfo
import org.styleexport.harness.picture.SharedFiles

/** Benchmark started in the app, whichever screen shows it. */
class BenchmarkModel(private val context: Context, private val worker: Worker) {
    /**
     * State of the benchmark screen.
     *
     * @property progress progress line; null while no benchmark runs.
     * @property report last report.
     * @property file file of the last report, for sharing.
     * @property note error message.
     */
    data class State(
        val progress: String? = null,
        val report: LatencyReport? = null,
        val file: File? = null,
        val note: String? = null,
    )

    val state: Observable<State> = Observable(State())

    @Volatile
    private var isCancelled = false

    /** Measure files of an artifact, unless a benchmark is running. */
    fun start(artifact: Artifact, files: List<FileFact>, delegate: DelegateKind, plan: PlanFact) {
        if (state.value.progress != null) return
        isCancelled = false
        state.value = state.value.copy(progress = "", note = null)
        worker.run({ measure(artifact, files, delegate, plan) }) { result ->
            state.value = result.fold(
                { (report, file) -> State(report = report, file = file) },
                { error ->
                    val note = if (error is Cancelled) null else ErrorText.reason(error)
                    state.value.copy(progress = null, note = note)
                },
            )
        }
    }

    /** Cancel the running benchmark and drop its samples. */
    fun cancel() {
        isCancelled = true
    }

    private fun measure(
        artifact: Artifact, files: List<FileFact>, delegate: DelegateKind, plan: PlanFact,
    ): Pair<LatencyReport, File> {
        val info = DeviceInfo(context)
        val settings = mapOf(DelegateKind.SETTING to delegate.text)
        val job = LocalJob.of(artifact, files, settings, plan, info.version, nonce())
        artifact.check(job.cells.flatMap { listOf(it.subject.path, it.probe) })
        val device = AndroidBenchDevice(artifact, ::showProgress) { isCancelled }
        val report = info.reportBuilder().measure(job, device)
        val file = File(SharedFiles.folder(context), "latency-${job.nonce}.json")
        AtomicFile.write(file, report.encoded())
        return Pair(report, file)
    }

    private fun showProgress(line: String): Unit = worker.postToMain {
        if (state.value.progress != null) state.value = state.value.copy(progress = line)
    }

    private fun nonce(): String {
        val bytes = ByteArray(NONCE_BYTES).also(SecureRandom()::nextBytes)
        return Base64.encodeToString(bytes, Base64.URL_SAFE or Base64.NO_PADDING or Base64.NO_WRAP)
    }

    private companion object {
        const val NONCE_BYTES = 12
    }
}
