package org.styleexport.contract.arithmetic

import java.nio.ByteBuffer
import org.styleexport.contract.facts.SizeFact

/**
 * YUV 4:2:0 camera frame, full range (JFIF): luma, and chroma at half the width and height.
 *
 * @property size size of the frame in the sensor's orientation.
 * @property luma brightness plane.
 * @property blue blue-difference chroma plane (Cb).
 * @property red red-difference chroma plane (Cr), with the strides of `blue`.
 */
public class CameraFrame(
    public val size: SizeFact,
    private val luma: Plane,
    private val blue: Plane,
    private val red: Plane,
) {
    /**
     * Plane of a frame.
     *
     * @property bytes samples of 8 bits.
     * @property rowStride bytes from one row to the next.
     * @property pixelStride bytes from one sample to the next.
     */
    public class Plane(
        private val bytes: ByteBuffer, private val rowStride: Int, private val pixelStride: Int,
    ) {
        internal fun at(row: Int, column: Int): Int =
            bytes.get(row * rowStride + column * pixelStride).toInt() and 0xFF
    }

    /**
     * Return the upright frame as an image, resampled by nearest neighbour.
     *
     * @param quarterTurns clockwise quarter turns from the sensor to upright.
     * @param into size of the image, with the aspect ratio of the upright frame.
     * @return [1, 3, H, W], RGB in 0..1.
     */
    public fun image(quarterTurns: Int, into: SizeFact): Tensor {
        val image = Tensor.image(into.height, into.width)
        val plane = into.height * into.width
        val isTurned = quarterTurns % 2 != 0
        val upright = if (isTurned) SizeFact(size.width, size.height) else size
        for (row in 0 until into.height) {
            val y = (row * 2 + 1) * upright.height / (2 * into.height)
            for (column in 0 until into.width) {
                val x = (column * 2 + 1) * upright.width / (2 * into.width)
                put(image, row * into.width + column, plane, y, x, quarterTurns)
            }
        }
        return image
    }

    private fun put(image: Tensor, pixel: Int, plane: Int, y: Int, x: Int, quarterTurns: Int) {
        val row: Int
        val column: Int
        when (Math.floorMod(quarterTurns, 4)) {
            1 -> { row = size.height - 1 - x; column = y }
            2 -> { row = size.height - 1 - y; column = size.width - 1 - x }
            3 -> { row = x; column = size.width - 1 - y }
            else -> { row = y; column = x }
        }
        val y0 = luma.at(row, column).toFloat()
        val toBlue = blue.at(row / 2, column / 2) - MIDDLE
        val toRed = red.at(row / 2, column / 2) - MIDDLE
        image.data[pixel] = unit(y0 + 1.402f * toRed)
        image.data[plane + pixel] = unit(y0 - 0.344136f * toBlue - 0.714136f * toRed)
        image.data[2 * plane + pixel] = unit(y0 + 1.772f * toBlue)
    }

    private fun unit(value: Float) = value.coerceIn(0f, HIGHEST) / HIGHEST

    private companion object {
        const val MIDDLE = 128f
        const val HIGHEST = 255f
    }
}
