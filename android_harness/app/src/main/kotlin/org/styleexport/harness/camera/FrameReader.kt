package org.styleexport.harness.camera

import android.media.Image
import android.media.ImageReader
import java.util.concurrent.atomic.AtomicBoolean
import org.styleexport.contract.arithmetic.BestSize
import org.styleexport.contract.arithmetic.CameraFrame
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.harness.picture.PictureSource

/**
 * Reader of camera frames, upright and at a file's input size; frames that arrive while one is
 * being processed are dropped.
 *
 * @param quarterTurns clockwise quarter turns from the sensor to upright.
 * @param currentFile returns the file that stylizes; null drops the frame.
 * @param onFrame receives a frame, and calls its second argument when done.
 */
class FrameReader(
    private val quarterTurns: Int,
    private val currentFile: () -> FileFact?,
    private val onFrame: (PictureSource, () -> Unit) -> Unit,
) {
    private val isBusy = AtomicBoolean()

    /** Read the latest frame. */
    fun read(reader: ImageReader) {
        val image = reader.acquireLatestImage() ?: return
        val source = image.use { if (isBusy.get()) null else source(it) } ?: return
        isBusy.set(true)
        onFrame(source) { isBusy.set(false) }
    }

    private fun source(photo: Image): PictureSource? {
        val file = currentFile() ?: return null
        val frame = CameraFrame(
            SizeFact(photo.height, photo.width), plane(photo, 0), plane(photo, 1), plane(photo, 2),
        )
        val isTurned = quarterTurns % 2 != 0
        val upright = if (isTurned) SizeFact(photo.width, photo.height) else frame.size
        val outer = BestSize.of(listOf(file), upright).size ?: upright
        val inner = Frame.of(upright, outer).inner
        // The buffers belong to the camera: copy them before the frame is closed.
        val image = frame.image(quarterTurns, inner)
        return PictureSource(inner, seconds = photo.timestamp / NS_PER_S) { image }
    }

    private fun plane(image: Image, index: Int): CameraFrame.Plane {
        val plane = image.planes[index]
        return CameraFrame.Plane(plane.buffer, plane.rowStride, plane.pixelStride)
    }

    private companion object {
        const val NS_PER_S = 1e9
    }
}
