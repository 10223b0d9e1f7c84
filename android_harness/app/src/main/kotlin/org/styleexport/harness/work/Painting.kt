package org.styleexport.harness.work

import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import java.io.File
import java.io.FileOutputStream
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.measure.Words
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps
import org.styleexport.harness.picture.Photos
import org.styleexport.harness.picture.SharedPictures
import org.styleexport.harness.picture.Source

/** What is being painted, whichever screen shows it. Main thread, but for what `worker` runs. */
class Painting(private val context: Context, private val worker: Worker) {
    /**
     * What the screen shows.
     *
     * @property artifact that paints; null until one is opened.
     * @property files of it that paint.
     * @property styles names of its packed styles.
     * @property choices that the user made.
     * @property painted the last painting.
     * @property note what is being done, or went wrong.
     */
    data class State(
        val artifact: Artifact? = null,
        val files: List<FileFact> = emptyList(),
        val styles: List<String> = emptyList(),
        val choices: Choices = Choices(),
        val painted: Painted? = null,
        val note: String? = null,
    )

    /** What the user chose; see `PaintRequest`. */
    data class Choices(
        val file: Int = 0,
        val delegate: Delegates = Delegates.XNNPACK,
        val first: String? = null,
        val second: String? = null,
        val blend: Float = 0f,
        val strength: Float = 1f,
        val isTiled: Boolean = false,
    )

    val state: Shown<State> = Shown(State())
    private val photos = Photos(context.contentResolver)
    private var studio: Studio? = null
    private var photo: Bitmap? = null
    private var painting: Bitmap? = null
    private var isPainting = false
    private var isOutdated = false

    /** Paint with another artifact; the one before is closed. */
    fun open(artifact: Artifact) {
        if (state.value.artifact?.folder == artifact.folder) return
        val files = artifact.files(Engines.SUFFIXES).filter { it.role != Role.ENCODE }
        painting = null
        state.value = State(artifact, files)
        worker.run({
            studio?.close()
            studio = null
            Studio(artifact).also { studio = it }.styles
        }) { result -> opened(artifact, result) }
    }

    private fun opened(artifact: Artifact, result: Result<List<String>>) {
        val held = state.value
        if (held.artifact !== artifact) return
        state.value = result.fold(
            { styles ->
                val (first, last) = styles.firstOrNull() to styles.lastOrNull()
                val choices = held.choices.copy(first = first, second = last)
                held.copy(styles = styles, choices = choices)
            },
            { held.copy(note = Words.reason(it)) },
        )
        repaint()
    }

    /** Take other choices, and paint again. */
    fun choose(change: (Choices) -> Choices) {
        val choices = change(state.value.choices)
        if (choices == state.value.choices) return
        if (choices.first != state.value.choices.first) painting = null
        state.value = state.value.copy(choices = choices)
        repaint()
    }

    /** Paint a photograph. */
    fun takePhoto(uri: Uri): Unit = load(uri) { photo = it }

    /** Take the style of a painting. */
    fun takeStyle(uri: Uri): Unit = load(uri) { painting = it }

    private fun load(uri: Uri, take: (Bitmap) -> Unit) {
        worker.run({ photos.open(uri, LONGEST) }) { result ->
            result.onSuccess(take).onFailure(::note)
            if (result.isSuccess) repaint()
        }
    }

    /** Paint the photograph as it was chosen; while that is done, once more is enough. */
    private fun repaint() {
        val bitmap = photo ?: return
        val source = Source(SizeFact(bitmap.height, bitmap.width)) { Bitmaps.image(bitmap, it) }
        if (isPainting) {
            isOutdated = true
        } else {
            paint(source) { if (isOutdated) repaint() }
        }
    }

    /** Paint a frame of the camera, unless something is being painted; call back after it. */
    fun takeFrame(source: Source, then: () -> Unit) {
        if (isPainting || chosenFile() == null) then() else paint(source, then)
    }

    /** The file that paints; null where the artifact has none. */
    fun chosenFile(): FileFact? = state.value.files.getOrNull(state.value.choices.file)

    private fun paint(source: Source, then: () -> Unit) {
        val file = chosenFile() ?: return
        val choices = state.value.choices
        val request = PaintRequest(
            file, choices.delegate, source, painting, choices.first, choices.second,
            choices.blend, choices.strength, choices.isTiled,
        )
        isPainting = true
        isOutdated = false
        worker.run({ studio?.paint(request) }) { result ->
            isPainting = false
            result.onSuccess { painted ->
                if (painted != null) state.value = state.value.copy(painted = painted, note = null)
            }.onFailure(::note)
            then()
        }
    }

    /** Put the last painting into the folder that is shared, at the photograph's own size. */
    fun share(then: (File) -> Unit) {
        val painted = state.value.painted ?: return
        val size = photo?.let { SizeFact(it.height, it.width) }
        worker.run({
            val whole = size?.let { Bitmaps.scaled(painted.bitmap, it) } ?: painted.bitmap
            val file = File(SharedPictures.folder(context), "painting.png")
            FileOutputStream(file).use { whole.compress(Bitmap.CompressFormat.PNG, 100, it) }
            file
        }) { result ->
            result.onSuccess(then).onFailure(::note)
        }
    }

    private fun note(error: Throwable) {
        state.value = state.value.copy(note = Words.reason(error))
    }

    /** Give back the memory of what is loaded; the next painting loads it again. */
    fun rest() {
        worker.run({ studio?.close() })
    }

    private companion object {
        const val LONGEST = 2048
    }
}
