package org.styleexport.harness.work

import android.graphics.Bitmap
import java.io.Closeable
import java.io.File
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.HarnessName
import org.styleexport.contract.facts.ProbeFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.TilingFact
import org.styleexport.contract.facts.passed
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.LocalJob
import org.styleexport.contract.measure.ProbeCheck
import org.styleexport.contract.measure.Session
import org.styleexport.contract.stylize.FramePainter
import org.styleexport.contract.stylize.MixedWriter
import org.styleexport.contract.stylize.TileProgress
import org.styleexport.contract.stylize.TiledFeatures
import org.styleexport.contract.stylize.TiledPainter
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.BitmapPicture
import org.styleexport.harness.picture.BitmapWriter

/**
 * Files that paint camera frames, and how long their statistics are averaged.
 *
 * @property stability 0 to 1.
 */
data class Film(val tiling: TilingFact, val delegate: DelegateKind, val stability: Float)

/**
 * Paints photos at their full size, in tiles whose statistics are those of the whole photo.
 *
 * The features of the last photo are kept in storage: another style or strength repaints from them.
 *
 * @property folder folder of feature maps, of which an app that was killed may have left some.
 */
class FullSizePainter(
    private val artifact: Artifact, private val engines: Engines, private val folder: File,
) : Closeable {
    private class Kept(
        val photo: Bitmap, val tiling: TilingFact, val delegate: DelegateKind,
        val features: TiledFeatures,
    )

    private val descriptions = HashMap<Pair<TilingFact, DelegateKind>, String>()
    private var kept: Kept? = null
    private var frames: Pair<Film, FramePainter>? = null
    private var effective = emptyMap<String, String>()

    init {
        folder.deleteRecursively()
    }

    /**
     * Return a painting, and what it was painted with, in one line.
     *
     * @param code style code; null for a network of one style.
     * @param report receives the progress, and returns whether to go on.
     * @throws BadArtifact the files fail their probe here.
     */
    fun paint(
        photo: Bitmap, tiling: TilingFact, delegate: DelegateKind, code: Tensor?, strength: Float,
        report: (TileProgress) -> Boolean,
    ): Pair<Bitmap, String> {
        val painter = painter(tiling, delegate)
        val description = descriptions.getOrPut(tiling to delegate) {
            proven(painter, tiling, delegate)
        }
        val features = features(painter, photo, tiling, delegate, report)
        val (height, width) = photo.height * painter.scale to photo.width * painter.scale
        val painted = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        painted.setHasAlpha(false)
        val bitmapWriter = BitmapWriter(painted)
        val writer = if (painter.takesStrength || strength == 1f) {
            bitmapWriter
        } else {
            MixedWriter(features.picture, painter.scale, strength, bitmapWriter)
        }
        painter.render(features, inputs(code, strength), report, writer)
        return painted to description
    }

    /**
     * Return a painted camera frame of the window's size, with statistics smoothed over time, and
     * what it was painted with.
     *
     * @param content frame, [1, 3, H, W].
     * @param stability 0 takes each frame's own statistics, 1 averages longest.
     * @param seconds when the frame was taken.
     * @throws BadArtifact the files fail their probe here.
     */
    fun paintFrame(
        content: Tensor, film: Film, code: Tensor?, strength: Float, seconds: Double,
    ): Pair<Tensor, String> {
        val (tiling, delegate, stability) = film
        val description = descriptions.getOrPut(tiling to delegate) {
            proven(painter(tiling, delegate), tiling, delegate)
        }
        val current = frames?.takeIf { it.first == film } ?: run {
            frames?.second?.close()
            frames = null
            val probe = probe()
            val painter = FramePainter(tiling, artifact.manifest.files, stability.toDouble()) {
                open(it, tiling, delegate, probe)
            }
            (film to painter).also { frames = it }
        }
        val painter = current.second
        val painted = painter.paint(content, inputs(code, strength), seconds)
        val isMixed = !painter.takesStrength && strength != 1f
        if (isMixed && painted.shape == content.shape) {
            for (index in painted.data.indices) {
                val own = content.data[index]
                painted.data[index] = own + strength * (painted.data[index] - own)
            }
        }
        return painted to description
    }

    /** Remove the features of the last photo, and unload what paints frames. */
    override fun close() {
        forget()
        frames?.second?.close()
        frames = null
    }

    private fun forget() {
        kept?.features?.close()
        kept = null
    }

    private fun inputs(code: Tensor?, strength: Float) = buildMap {
        code?.let { put("style_code", it) }
        put("strength", Tensor(listOf(1), floatArrayOf(strength)))
    }

    private fun features(
        painter: TiledPainter, photo: Bitmap, tiling: TilingFact, delegate: DelegateKind,
        report: (TileProgress) -> Boolean,
    ): TiledFeatures {
        kept?.let {
            val isSame = it.photo === photo && it.tiling == tiling && it.delegate == delegate
            if (isSame) return it.features
        }
        forget()
        val features = painter.features(BitmapPicture(photo), keep = true, report)
        kept = Kept(photo, tiling, delegate, features)
        return features
    }

    private fun painter(tiling: TilingFact, delegate: DelegateKind): TiledPainter {
        val probe = probe()
        return TiledPainter(tiling, artifact.manifest.files, folder) { file ->
            open(file, tiling, delegate, probe)
        }
    }

    private fun open(
        file: FileFact, tiling: TilingFact, delegate: DelegateKind, probe: ProbeFact,
    ): Session {
        val settings = mapOf(DelegateKind.SETTING to delegate.text)
        val cell = LocalJob.cell(artifact.manifest, file, probe, settings)
        val session = engines.open(artifact, cell.copy(size = tiling.window), null)
        effective = session.effective
        return session
    }

    private fun probe(): ProbeFact =
        artifact.manifest.probes.firstOrNull { it.role == Role.RENDER }
            ?: throw BadArtifact("its tiles have no probe: export the network again with --full")

    /** Paint the probe, and return how well, with engine and delegate. */
    private fun proven(
        painter: TiledPainter, tiling: TilingFact, delegate: DelegateKind,
    ): String {
        val probe = probe()
        val paths = tiling.passes.map { it.path }
        artifact.check(paths + probe.path)
        val tensors = artifact.tensors(probe.path)
        val last = artifact.manifest.files.first { it.path == paths.last() }
        val runner = HarnessName.ANDROID.serialName
        val parity = ProbeCheck.parity(last, painter.painting(tensors), tensors, runner)
        if (!parity.passed) {
            throw BadArtifact(
                "its tiles are wrong on ${delegate.text}: ${parity.measuredDb} dB on the probe, " +
                    "at least ${parity.allowedDb} allowed: choose another",
            )
        }
        return "${effective["engine"]}, ${effective["delegate"]} · ${paths.size} passes over " +
            "tiles · ${parity.measuredDb} dB on the probe"
    }
}
