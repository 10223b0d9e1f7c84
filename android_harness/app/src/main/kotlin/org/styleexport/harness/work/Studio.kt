package org.styleexport.harness.work

import android.os.SystemClock
import java.io.Closeable
import org.styleexport.contract.arithmetic.BestSize
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.arithmetic.StyleBlend
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.arithmetic.Tiling
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.paint.Brush
import org.styleexport.contract.paint.Style
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.Bitmaps

/** Paints with the files of one artifact; on one thread, which must be that of its `close`. */
class Studio(private val artifact: Artifact) : Closeable {
    private val engines = Engines()
    private val codes: Map<String, Tensor> = artifact.styleCodes()
    private val proven = HashMap<Role, ProvenFile>()
    private var nanoseconds = 0L

    /** Names of the packed styles. */
    val styles: List<String> get() = codes.keys.sorted()

    /**
     * Return what a file paints.
     *
     * @throws BadArtifact the file fails its probe here, or needs a style that there is none of.
     */
    fun paint(request: PaintRequest): Painted {
        val size = request.source.size
        val frame = frameOf(request.file, size)
        val style = style(request, frame.outer)
        nanoseconds = 0
        val brush = Brush(request.file, frame.outer) { run(request, frame.outer, it) }
        val isTiled = request.isTiled &&
            (size.height > frame.outer.height || size.width > frame.outer.width)
        val image = if (isTiled) {
            val overlap = minOf(frame.outer.height, frame.outer.width) / OVERLAP_SHARE
            Tiling(size, frame.outer, overlap).paint(request.source.at(size)) {
                brush.paint(it, style, request.strength)
            }
        } else {
            val content = frame.fill(request.source.at(frame.inner))
            frame.restore(brush.paint(content, style, request.strength))
        }
        val told = proven.getValue(request.file.role).told
        return Painted(Bitmaps.bitmap(image), told, nanoseconds / NANOSECONDS_PER_MS)
    }

    override fun close() {
        proven.values.forEach(ProvenFile::close)
        proven.clear()
    }

    private fun frameOf(file: FileFact, picture: SizeFact): Frame {
        val size = BestSize.of(listOf(file), picture).size
            ?: return Frame.open(picture, MAX_SIDE, artifact.manifest.network.minSide)
        return Frame.of(picture, size)
    }

    private fun style(request: PaintRequest, size: SizeFact): Style {
        val file = request.file
        val painting = request.painting?.let { Style.Painting { at -> Bitmaps.middle(it, at) } }
        val takesCode = file.inputs.any { it.kind == TensorKind.STYLE_CODE }
        return when {
            file.inputs.count { it.kind == TensorKind.IMAGE } > 1 ->
                painting ?: throw BadArtifact("choose a painting whose style is to be taken")
            !takesCode -> Style.Own
            painting != null -> Style.Code(encode(painting, file, size, request.delegate))
            else -> Style.Code(blended(request))
        }
    }

    private fun blended(request: PaintRequest): Tensor {
        val first = codes[request.first ?: styles.firstOrNull()]
            ?: throw BadArtifact("the artifact holds no packed style: choose a painting")
        val second = codes[request.second] ?: first
        val weights = listOf(1.0 - request.blend, request.blend.toDouble())
        return Tensor(first.shape, StyleBlend.of(listOf(first.data, second.data), weights))
    }

    /** Return a painting's code, by the encode file most like the one that paints. */
    private fun encode(
        painting: Style.Painting, file: FileFact, size: SizeFact, delegate: Delegates,
    ): Tensor {
        val encoders = artifact.files(listOf(file.suffix)).filter { it.role == Role.ENCODE }
        val encoder = encoders.sortedWith(
            compareByDescending<FileFact> { it.precision == file.precision }
                .thenByDescending { it.takes(size) },
        ).firstOrNull() ?: throw BadArtifact("the artifact has no encode file: use packed styles")
        val at = encoder.fixedSizes.firstOrNull { it == size }
            ?: encoder.fixedSizes.firstOrNull() ?: size
        return Brush(encoder, at) { opened(encoder, at, delegate).run(it) }.encode(painting)
    }

    private fun run(
        request: PaintRequest, size: SizeFact, inputs: Map<String, Tensor>,
    ): Map<String, Tensor> {
        val file = opened(request.file, size, request.delegate)
        val begin = SystemClock.elapsedRealtimeNanos()
        return file.run(inputs).also { nanoseconds += SystemClock.elapsedRealtimeNanos() - begin }
    }

    /** Of each role one file is kept loaded, the last that was used. */
    private fun opened(file: FileFact, size: SizeFact, delegate: Delegates): ProvenFile {
        proven[file.role]?.let { held ->
            if (held.isFor(file, size, delegate)) return held
            proven.remove(file.role)
            held.close()
        }
        return ProvenFile.open(artifact, file, size, delegate, engines)
            .also { proven[file.role] = it }
    }

    private companion object {
        const val MAX_SIDE = 1024
        const val OVERLAP_SHARE = 8
        const val NANOSECONDS_PER_MS = 1e6
    }
}
