package org.styleexport.harness.work

import android.content.Context
import android.util.Base64
import java.io.File
import java.security.SecureRandom
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.Written
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.measure.Cancelled
import org.styleexport.contract.measure.OwnJob
import org.styleexport.contract.measure.Words
import org.styleexport.harness.device.DeviceBench
import org.styleexport.harness.device.Phone
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.picture.SharedPictures

/** What is being measured, whichever screen shows it. */
class Measuring(private val context: Context, private val worker: Worker) {
    /**
     * What the screen shows.
     *
     * @property progress how far the work is; null while nothing is measured.
     * @property report the last that was made.
     * @property file where it lies, to be shared.
     * @property note what went wrong.
     */
    data class State(
        val progress: String? = null,
        val report: LatencyReport? = null,
        val file: File? = null,
        val note: String? = null,
    )

    val state: Shown<State> = Shown(State())

    @Volatile
    private var isCancelled = false

    /** Measure files of an artifact; one measurement at a time. */
    fun start(artifact: Artifact, files: List<FileFact>, delegate: Delegates, plan: PlanFact) {
        if (state.value.progress != null) return
        isCancelled = false
        state.value = state.value.copy(progress = "", note = null)
        worker.run({ measured(artifact, files, delegate, plan) }) { result ->
            state.value = result.fold(
                { (report, file) -> State(report = report, file = file) },
                { error ->
                    val note = if (error is Cancelled) null else Words.reason(error)
                    state.value.copy(progress = null, note = note)
                },
            )
        }
    }

    /** End what is being measured; nothing of it is kept. */
    fun cancel() {
        isCancelled = true
    }

    private fun measured(
        artifact: Artifact, files: List<FileFact>, delegate: Delegates, plan: PlanFact,
    ): Pair<LatencyReport, File> {
        val phone = Phone(context)
        val settings = mapOf(Delegates.SETTING to delegate.text)
        val job = OwnJob.of(artifact, files, settings, plan, phone.version, nonce())
        artifact.check(job.cells.flatMap { listOf(it.subject.path, it.probe) })
        val bench = DeviceBench(artifact, ::say) { isCancelled }
        val report = phone.reports().of(job, bench)
        val file = File(SharedPictures.folder(context), "latency-${job.nonce}.json")
        Written.whole(file, report.encoded())
        return Pair(report, file)
    }

    private fun say(line: String): Unit = worker.show {
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
