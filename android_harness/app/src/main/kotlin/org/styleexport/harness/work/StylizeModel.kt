package org.styleexport.harness.work

import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import java.io.File
import java.io.FileOutputStream
import java.util.concurrent.CancellationException
import org.styleexport.contract.arithmetic.SmoothedStatistics
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.tilingOf
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.ErrorText
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps
import org.styleexport.harness.picture.PhotoDecoder
import org.styleexport.harness.picture.PictureSource
import org.styleexport.harness.picture.SharedFiles

/** Stylization of a photo or the camera, whichever screen shows it. Use it on the main thread. */
class StylizeModel(private val context: Context, private val worker: Worker) {
    /**
     * State of the stylize screen.
     *
     * @property artifact opened artifact; null until one is opened.
     * @property files files of the artifact that stylize.
     * @property styles names of its packed styles.
     * @property thumbnails style → its thumbnail, where there is one.
     * @property choices choices of the user.
     * @property result last stylized picture.
     * @property note error message.
     * @property progress state of an optimization or of a painting in tiles; null while none is in
     *   progress.
     */
    data class State(
        val artifact: Artifact? = null,
        val files: List<FileFact> = emptyList(),
        val styles: List<String> = emptyList(),
        val thumbnails: Map<String, Bitmap> = emptyMap(),
        val choices: Choices = Choices(),
        val result: StylizedPicture? = null,
        val note: String? = null,
        val progress: StylizeProgress? = null,
    ) {
        /** Whether the chosen file is iterated. */
        val isOptimization: Boolean get() = files.getOrNull(choices.file)?.role == Role.STEP

        /** Whether photos are painted at full size with the chosen file; null where iterated. */
        val hasTiles: Boolean?
            get() = files.getOrNull(choices.file)?.takeIf { it.role != Role.STEP }
                ?.let { artifact?.manifest?.tilingOf(it) != null }

        /** Number of iterations of a painting by optimization. */
        val iterations: Int
            get() = choices.iterations
                ?: artifact?.manifest?.network?.optimization?.iterations ?: 0
    }

    /** Choices of the user; see [StylizeRequest]. */
    data class Choices(
        val file: Int = 0,
        val delegate: DelegateKind = DelegateKind.XNNPACK,
        val first: String? = null,
        val second: String? = null,
        val blend: Float = 0f,
        val strength: Float = 1f,
        val isFullSize: Boolean = true,
        val stability: Float = SmoothedStatistics.DEFAULT_STABILITY.toFloat(),
        val iterations: Int? = null,
    )

    val state: Observable<State> = Observable(State())
    private val photos = PhotoDecoder(context.contentResolver)
    private var service: InferenceService? = null
    private var photo: Bitmap? = null
    private var styleImage: Bitmap? = null
    private var isRunning = false
    private var isOutdated = false

    @Volatile
    private var isStopped = false

    /** Open an artifact and close the previous one. */
    fun open(artifact: Artifact) {
        if (state.value.artifact?.folder == artifact.folder) return
        val files = artifact.files(Engines.SUFFIXES).filter { it.role in PAINTERS }
        styleImage = null
        state.value = State(artifact, files)
        worker.run({
            service?.close()
            service = null
            val opened = InferenceService(artifact, context.cacheDir)
            service = opened
            opened.styles to opened.thumbnails()
        }) { result -> opened(artifact, result) }
    }

    private fun opened(
        artifact: Artifact, result: Result<Pair<List<String>, Map<String, Bitmap>>>,
    ) {
        val current = state.value
        if (current.artifact !== artifact) return
        state.value = result.fold(
            { (styles, thumbnails) ->
                val (first, last) = styles.firstOrNull() to styles.lastOrNull()
                val choices = current.choices.copy(first = first, second = last)
                current.copy(styles = styles, thumbnails = thumbnails, choices = choices)
            },
            { current.copy(note = ErrorText.reason(it)) },
        )
        restylize()
    }

    /** Change the choices and stylize again. */
    fun choose(change: (Choices) -> Choices) {
        val choices = change(state.value.choices)
        if (choices == state.value.choices) return
        if (choices.first != state.value.choices.first) styleImage = null
        val isOfFrames = choices == state.value.choices.copy(stability = choices.stability)
        state.value = state.value.copy(choices = choices)
        // The next frame takes the stability; a photo has none.
        if (!isOfFrames) restylize()
    }

    /** Stylize a photo. */
    fun setPhoto(uri: Uri): Unit = load(uri) { photo = it }

    /** Use the style of an image. */
    fun setStyleImage(uri: Uri): Unit = load(uri) { styleImage = it }

    private fun load(uri: Uri, set: (Bitmap) -> Unit) {
        worker.run({ photos.open(uri, MAX_SIDE) }) { result ->
            result.onSuccess(set).onFailure(::showError)
            if (result.isSuccess) restylize()
        }
    }

    /**
     * Stylize the photo with the current choices; requests during a run are merged into one, for
     * which an optimization or a painting in tiles is cut short.
     */
    private fun restylize() {
        val bitmap = photo ?: return
        val source = PictureSource(SizeFact(bitmap.height, bitmap.width), bitmap) {
            Bitmaps.image(bitmap, it)
        }
        if (isRunning) {
            isOutdated = true
            stop()
        } else {
            stylize(source) { if (isOutdated) restylize() }
        }
    }

    /**
     * Stop a painting: an optimization after the iteration in progress, whose best picture is
     * shown; one in tiles after the tile in progress, without a picture.
     */
    fun stop() {
        isStopped = true
    }

    /** Stylize a camera frame unless a run is in progress; call `done` afterwards. */
    fun stylizeFrame(source: PictureSource, done: () -> Unit) {
        val isReady = !isRunning && chosenFile() != null && !state.value.isOptimization
        if (isReady) stylize(source, done) else done()
    }

    /** Return the file that stylizes; null if the artifact has none. */
    fun chosenFile(): FileFact? = state.value.files.getOrNull(state.value.choices.file)

    private fun stylize(source: PictureSource, done: () -> Unit) {
        val file = chosenFile() ?: return
        val choices = state.value.choices
        val request = StylizeRequest(
            file, choices.delegate, source, styleImage, choices.first, choices.second,
            choices.blend, choices.strength, choices.isFullSize, choices.stability,
            choices.iterations,
        )
        isRunning = true
        isOutdated = false
        isStopped = false
        worker.run({ service?.stylize(request, ::showProgress) }) { result ->
            isRunning = false
            state.value = state.value.copy(progress = null)
            result.onSuccess { picture ->
                if (picture != null) state.value = state.value.copy(result = picture, note = null)
            }.onFailure { if (it !is CancellationException) showError(it) }
            done()
        }
    }

    /** Show the progress of a painting; return whether it goes on. Called on the worker. */
    private fun showProgress(progress: StylizeProgress): Boolean {
        worker.postToMain {
            if (isRunning) state.value = state.value.copy(progress = progress)
        }
        return !isStopped
    }

    /** Write the last result, at the photo's size or larger, to the shared folder. */
    fun share(onFile: (File) -> Unit) {
        val result = state.value.result ?: return
        val size = photo?.takeIf { !result.isFullSize }?.let { SizeFact(it.height, it.width) }
        worker.run({
            val bitmap = size?.let { Bitmaps.scaled(result.bitmap, it) } ?: result.bitmap
            val file = File(SharedFiles.folder(context), "stylized.png")
            FileOutputStream(file).use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
            file
        }) { written ->
            written.onSuccess(onFile).onFailure(::showError)
        }
    }

    private fun showError(error: Throwable) {
        state.value = state.value.copy(note = ErrorText.reason(error))
    }

    /** Unload all models, after an optimization was cut short; the next run loads them again. */
    fun unload() {
        stop()
        worker.run({ service?.close() })
    }

    private companion object {
        /** Photos are decoded at their own size below twice this many pixels along a side. */
        const val MAX_SIDE = 4096

        /** Roles of the files that the user chooses from. */
        val PAINTERS = setOf(Role.STYLIZE, Role.TRANSFORM, Role.STEP)
    }
}
