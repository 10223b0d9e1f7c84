package org.styleexport.contract.arithmetic

import java.nio.ByteBuffer
import org.styleexport.contract.facts.SizeFact

/**
 * A frame of a camera: brightness and two colour differences, full range (JFIF), in planes whose
 * colours have half the width and height.
 *
 * @property size of the frame as the sensor gives it.
 * @property brightness the first plane.
 * @property blue the plane of blue differences.
 * @property red the plane of red differences; its strides are those of `blue`.
 */
public class CameraFrame(
    public val size: SizeFact,
    private val brightness: Plane,
    private val blue: Plane,
    private val red: Plane,
) {
    /**
     * One plane of a frame.
     *
     * @property bytes of it.
     * @property rowStride bytes from one row to the next.
     * @property pixelStride bytes from one pixel to the next.
     */
    public class Plane(
        private val bytes: ByteBuffer, private val rowStride: Int, private val pixelStride: Int,
    ) {
        internal fun at(row: Int, column: Int): Int =
            bytes.get(row * rowStride + column * pixelStride).toInt() and 0xFF
    }

    /**
     * Return the frame upright, the nearest pixels of it at a size.
     *
     * @param quarterTurns clockwise, that bring it upright.
     * @param into size of the image, with the proportions of the upright frame.
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
        val luma = brightness.at(row, column).toFloat()
        val toBlue = blue.at(row / 2, column / 2) - MIDDLE
        val toRed = red.at(row / 2, column / 2) - MIDDLE
        image.data[pixel] = unit(luma + 1.402f * toRed)
        image.data[plane + pixel] = unit(luma - 0.344136f * toBlue - 0.714136f * toRed)
        image.data[2 * plane + pixel] = unit(luma + 1.772f * toBlue)
    }

    private fun unit(value: Float) = value.coerceIn(0f, HIGHEST) / HIGHEST

    private companion object {
        const val MIDDLE = 128f
        const val HIGHEST = 255f
    }
}
