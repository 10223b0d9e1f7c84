package org.styleexport.harness.camera

import android.media.Image
import android.media.ImageReader
import java.util.concurrent.atomic.AtomicBoolean
import org.styleexport.contract.arithmetic.BestSize
import org.styleexport.contract.arithmetic.CameraFrame
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.harness.picture.Source

/**
 * Reads frames of the camera, upright and at the size that a file takes; while one is being handed
 * over, others are dropped.
 *
 * @param quarterTurns clockwise, that bring a frame upright.
 * @param fileOf gives the file that is to paint.
 * @param hand gets a frame, and calls back when it is done with.
 */
class Frames(
    private val quarterTurns: Int,
    private val fileOf: () -> FileFact?,
    private val hand: (Source, () -> Unit) -> Unit,
) {
    private val isHanding = AtomicBoolean()

    /** Read the newest frame. */
    fun read(reader: ImageReader) {
        val image = reader.acquireLatestImage() ?: return
        val source = image.use { if (isHanding.get()) null else source(it) } ?: return
        isHanding.set(true)
        hand(source) { isHanding.set(false) }
    }

    private fun source(image: Image): Source? {
        val file = fileOf() ?: return null
        val frame = CameraFrame(
            SizeFact(image.height, image.width), plane(image, 0), plane(image, 1), plane(image, 2),
        )
        val isTurned = quarterTurns % 2 != 0
        val upright = if (isTurned) SizeFact(image.width, image.height) else frame.size
        val outer = BestSize.of(listOf(file), upright).size ?: upright
        val inner = Frame.of(upright, outer).inner
        // The frame's memory is the camera's: it is read before it goes back.
        val read = frame.image(quarterTurns, inner)
        return Source(inner) { read }
    }

    private fun plane(image: Image, index: Int): CameraFrame.Plane {
        val plane = image.planes[index]
        return CameraFrame.Plane(plane.buffer, plane.rowStride, plane.pixelStride)
    }
}
