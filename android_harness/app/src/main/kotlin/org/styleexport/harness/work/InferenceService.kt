package org.styleexport.harness.work

import android.graphics.Bitmap
import android.os.SystemClock
import java.io.Closeable
import java.io.File
import java.util.concurrent.CancellationException
import org.styleexport.contract.arithmetic.BestSize
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TilingFact
import org.styleexport.contract.facts.fixedSizes
import org.styleexport.contract.facts.suffix
import org.styleexport.contract.facts.takes
import org.styleexport.contract.facts.thumbnails
import org.styleexport.contract.facts.tilingOf
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.stylize.ModelRunner
import org.styleexport.contract.stylize.StepRunner
import org.styleexport.contract.stylize.Style
import org.styleexport.contract.stylize.StyleBlend
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps
import org.styleexport.harness.picture.PictureSource

/**
 * Stylization request.
 *
 * @property file file that stylizes.
 * @property delegate requested delegate.
 * @property source photo or camera frame.
 * @property styleImage image whose style is applied; null uses packed styles.
 * @property first name of a packed style.
 * @property second name of a second packed style.
 * @property blend weight of the second style, 0..1.
 * @property strength 0 keeps the photo, 1 is the full style.
 * @property isFullSize whether a photo larger than the file's input size is painted at full size,
 *   in tiles, where the artifact has the files.
 * @property stability how long statistics of camera frames are averaged, 0..1, where the artifact
 *   has the files; 0 paints each frame by itself.
 * @property iterations number of iterations of a `step` file; null is the manifest's.
 */
data class StylizeRequest(
    val file: FileFact,
    val delegate: DelegateKind,
    val source: PictureSource,
    val styleImage: Bitmap?,
    val first: String?,
    val second: String?,
    val blend: Float,
    val strength: Float,
    val isFullSize: Boolean,
    val stability: Float,
    val iterations: Int? = null,
)

/**
 * Stylized picture.
 *
 * @property bitmap stylized image.
 * @property description engine, delegate and PSNR on the probe, in one line.
 * @property milliseconds inference time, that of all iterations, or the whole time of all tiles.
 * @property isFullSize whether it was painted in tiles, at the photo's size.
 */
class StylizedPicture(
    val bitmap: Bitmap, val description: String, val milliseconds: Double,
    val isFullSize: Boolean = false,
)

/**
 * State of a painting by optimization, or in tiles.
 *
 * @property done number of the iteration, from 1, or of tiles that are done.
 * @property preview picture with the lowest loss so far; null for tiles.
 * @property secondsLeft estimate of the time that is left; null for iterations.
 */
class StylizeProgress(
    val done: Int, val total: Int, val preview: Bitmap?, val secondsLeft: Double? = null,
)

/**
 * Stylizes with the files of one artifact. Use and close it on one thread.
 *
 * @param cache folder of temporary files.
 */
class InferenceService(private val artifact: Artifact, cache: File) : Closeable {
    private val engines = Engines()
    private val fullSize = FullSizePainter(artifact, engines, File(cache, "maps"))
    private val codes: Map<String, Tensor> = artifact.styleCodes()
    private val models = HashMap<Role, LoadedModel>()
    private var nanoseconds = 0L

    /** Names of the packed styles. */
    val styles: List<String> get() = codes.keys.sorted()

    /** Return style → its thumbnail, where there is one. */
    fun thumbnails(): Map<String, Bitmap> = artifact.manifest.thumbnails.entries
        .mapNotNull { (style, path) ->
            Bitmaps.styleThumbnail(artifact.file(path))?.let { style to it }
        }
        .toMap()

    /**
     * Return a stylized picture.
     *
     * @param report receives the progress after each iteration or tile, and returns whether to go
     *   on.
     * @throws BadArtifact the file fails its probe here, or needs a style that is missing.
     * @throws CancellationException a painting in tiles was not to go on.
     */
    fun stylize(request: StylizeRequest, report: (StylizeProgress) -> Boolean): StylizedPicture {
        val size = request.source.size
        val frame = frameOf(request.file, size)
        val style = style(request, frame.outer)
        nanoseconds = 0
        if (request.file.role == Role.STEP) return optimize(request, frame, style, report)
        val isLarger = size.height > frame.outer.height || size.width > frame.outer.width
        val photo = request.source.photo
        val tiling = artifact.manifest.tilingOf(request.file)
        if (request.isFullSize && isLarger && photo != null && tiling != null) {
            return paintInTiles(request, photo, tiling, style, report)
        }
        val seconds = request.source.seconds
        if (request.stability > 0 && seconds != null && tiling?.window == frame.outer) {
            val film = Film(tiling, request.delegate, request.stability)
            return paintFrame(request, frame, film, style)
        }
        val runner = ModelRunner(request.file, frame.outer) { run(request, frame.outer, it) }
        val content = frame.fill(request.source.at(frame.inner))
        val image = frame.crop(runner.stylize(content, style, request.strength))
        val description = models.getValue(request.file.role).description
        return StylizedPicture(Bitmaps.bitmap(image), description, nanoseconds / NS_PER_MS)
    }

    private fun paintFrame(
        request: StylizeRequest, frame: Frame, film: Film, style: Style,
    ): StylizedPicture {
        val content = frame.fill(request.source.at(frame.inner))
        val seconds = requireNotNull(request.source.seconds) { "a photo is no frame" }
        val code = (style as? Style.Code)?.code
        val begin = SystemClock.elapsedRealtimeNanos()
        val (image, description) = fullSize.paintFrame(
            content, film, code, request.strength, seconds,
        )
        val taken = (SystemClock.elapsedRealtimeNanos() - begin) / NS_PER_MS
        return StylizedPicture(Bitmaps.bitmap(frame.crop(image)), description, taken)
    }

    private fun paintInTiles(
        request: StylizeRequest, photo: Bitmap, tiling: TilingFact, style: Style,
        report: (StylizeProgress) -> Boolean,
    ): StylizedPicture {
        val code = (style as? Style.Code)?.code
        val begin = SystemClock.elapsedRealtimeNanos()
        var doneBefore = -1
        val (bitmap, description) = fullSize.paint(
            photo, tiling, request.delegate, code, request.strength,
        ) { progress ->
            // A repaint begins after the tiles of the features.
            if (doneBefore < 0) doneBefore = progress.done - 1
            val seconds = (SystemClock.elapsedRealtimeNanos() - begin) / NS_PER_S
            val each = seconds / (progress.done - doneBefore)
            val left = each * (progress.total - progress.done)
            report(StylizeProgress(progress.done, progress.total, null, left))
        }
        val taken = (SystemClock.elapsedRealtimeNanos() - begin) / NS_PER_MS
        return StylizedPicture(bitmap, description, taken, isFullSize = true)
    }

    private fun optimize(
        request: StylizeRequest, frame: Frame, style: Style, report: (StylizeProgress) -> Boolean,
    ): StylizedPicture {
        val file = request.file
        val rules = artifact.manifest.network.optimization
            ?: throw BadArtifact("the manifest does not say how ${file.path} is iterated")
        require(style is Style.Code) { "${file.path} takes the style as a code" }
        val content = frame.fill(request.source.at(frame.inner))
        val target = contentTarget(request, frame.outer, content)
        val targets = StepRunner.Targets(target, style.code, request.strength)
        val runner = StepRunner(file, rules) { run(request, frame.outer, it) }
        val iterations = request.iterations ?: rules.iterations
        val painted = runner.paint(content, targets, iterations) { progress ->
            val preview = Bitmaps.bitmap(frame.crop(progress.best()))
            report(StylizeProgress(progress.iteration, progress.iterations, preview))
        }
        val description = models.getValue(Role.STEP).description + " · " + painted.result.note
        val bitmap = Bitmaps.bitmap(frame.crop(painted.image))
        return StylizedPicture(bitmap, description, nanoseconds / NS_PER_MS)
    }

    private fun contentTarget(request: StylizeRequest, size: SizeFact, content: Tensor): Tensor {
        val files = artifact.files(listOf(request.file.suffix))
        val file = files.firstOrNull { it.role == Role.CONTENT && it.takes(size) }
            ?: throw BadArtifact("the artifact has no content file of ${size.width}x${size.height}")
        return ModelRunner(file, size) { loaded(file, size, request.delegate).run(it) }
            .contentTarget(content)
    }

    override fun close() {
        models.values.forEach(LoadedModel::close)
        models.clear()
        fullSize.close()
    }

    private fun frameOf(file: FileFact, photo: SizeFact): Frame {
        val size = BestSize.of(listOf(file), photo).size
            ?: return Frame.open(photo, MAX_SIDE, artifact.manifest.network.minSide)
        return Frame.of(photo, size)
    }

    private fun style(request: StylizeRequest, size: SizeFact): Style {
        val file = request.file
        val image = request.styleImage?.let { bitmap ->
            Style.Image { at -> Bitmaps.centreCrop(bitmap, at) }
        }
        val takesCode = file.inputs.any { it.kind == TensorKind.STYLE_CODE }
        return when {
            file.inputs.count { it.kind == TensorKind.IMAGE } > 1 ->
                image ?: throw BadArtifact("choose a style image")
            !takesCode -> Style.Fixed
            image != null -> Style.Code(encode(image, file, size, request.delegate))
            else -> Style.Code(blended(request))
        }
    }

    private fun blended(request: StylizeRequest): Tensor {
        val first = codes[request.first ?: styles.firstOrNull()]
            ?: throw BadArtifact("the artifact has no packed styles: choose a style image")
        val second = codes[request.second] ?: first
        val weights = listOf(1.0 - request.blend, request.blend.toDouble())
        val network = artifact.manifest.network
        return Tensor(first.shape, StyleBlend.of(listOf(first.data, second.data), weights, network))
    }

    /** Return the code of a style image, from the encoder most similar to the stylizing file. */
    private fun encode(
        image: Style.Image, file: FileFact, size: SizeFact, delegate: DelegateKind,
    ): Tensor {
        val encoders = artifact.files(listOf(file.suffix)).filter { it.role == Role.ENCODE }
        val encoder = encoders.sortedWith(
            compareByDescending<FileFact> { it.precision == file.precision }
                .thenByDescending { it.takes(size) },
        ).firstOrNull() ?: throw BadArtifact("the artifact has no encoder: use packed styles")
        val at = encoder.fixedSizes.firstOrNull { it == size }
            ?: encoder.fixedSizes.firstOrNull() ?: size
        return ModelRunner(encoder, at) { loaded(encoder, at, delegate).run(it) }.encode(image)
    }

    private fun run(
        request: StylizeRequest, size: SizeFact, inputs: Map<String, Tensor>,
    ): Map<String, Tensor> {
        val model = loaded(request.file, size, request.delegate)
        val begin = SystemClock.elapsedRealtimeNanos()
        return model.run(inputs).also { nanoseconds += SystemClock.elapsedRealtimeNanos() - begin }
    }

    /** Return a loaded model; the last one of each role is kept. */
    private fun loaded(file: FileFact, size: SizeFact, delegate: DelegateKind): LoadedModel {
        models[file.role]?.let { model ->
            if (model.matches(file, size, delegate)) return model
            models.remove(file.role)
            model.close()
        }
        return LoadedModel.open(artifact, file, size, delegate, engines)
            .also { models[file.role] = it }
    }

    private companion object {
        const val MAX_SIDE = 1024
        const val NS_PER_MS = 1e6
        const val NS_PER_S = 1e9
    }
}
