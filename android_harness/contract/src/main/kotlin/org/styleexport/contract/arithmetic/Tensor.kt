package org.styleexport.contract.arithmetic

/**
 * Float32 tensor in row-major order; images are [1, 3, H, W], RGB in 0..1.
 *
 * @property shape axis lengths.
 * @property data elements.
 */
public class Tensor(public val shape: List<Int>, public val data: FloatArray) {
    init {
        require(shape.fold(1, Int::times) == data.size) { "${data.size} elements for $shape" }
    }

    /** Whether the tensor has the rank of an image. */
    public val isImage: Boolean get() = shape.size == 4

    /** Write an image, [1, 3, h, w], into this one. */
    public fun put(top: Int, left: Int, part: Tensor) {
        val (height, width) = part.shape.drop(2)
        for (channel in 0 until CHANNELS) {
            for (row in 0 until height) {
                val from = (channel * height + row) * width
                val into = (channel * shape[2] + top + row) * shape[3] + left
                part.data.copyInto(data, into, from, from + width)
            }
        }
    }

    public companion object {
        /** Return a black image. */
        public fun image(height: Int, width: Int): Tensor =
            Tensor(listOf(1, CHANNELS, height, width), FloatArray(CHANNELS * height * width))

        /** Number of channels of an image: red, green and blue. */
        public const val CHANNELS: Int = 3
    }
}

/** Conversion of pixels, 0xAARRGGBB as in Android's bitmaps, to tensors and back. */
public object Pixels {
    private const val OPAQUE = 0xFF shl 24
    private const val BYTE = 0xFF
    private const val HIGHEST = 255f

    /** Return pixels, in row-major order, as an image; alpha is ignored. */
    public fun tensor(pixels: IntArray, height: Int, width: Int): Tensor {
        val plane = height * width
        require(pixels.size == plane) { "${pixels.size} pixels for ${height}x$width" }
        val image = Tensor.image(height, width)
        for (channel in 0 until Tensor.CHANNELS) {
            val shift = shiftOf(channel)
            for (pixel in 0 until plane) {
                image.data[channel * plane + pixel] = (pixels[pixel] ushr shift and BYTE) / HIGHEST
            }
        }
        return image
    }

    /** Return an image as opaque pixels, clipped to 0..1 and rounded half to even. */
    public fun pixels(image: Tensor): IntArray {
        val plane = image.shape[2] * image.shape[3]
        val pixels = IntArray(plane) { OPAQUE }
        for (channel in 0 until Tensor.CHANNELS) {
            val shift = shiftOf(channel)
            for (pixel in 0 until plane) {
                val value = byteOf(image.data[channel * plane + pixel])
                pixels[pixel] = pixels[pixel] or (value shl shift)
            }
        }
        return pixels
    }

    /** Return a value in 0..1 as a byte, 0..255; NaN is 0. */
    public fun byteOf(value: Float): Int {
        val scaled = value * HIGHEST
        return if (scaled.isNaN()) 0 else Math.rint(scaled.coerceIn(0f, HIGHEST).toDouble()).toInt()
    }

    /** Red is the most significant of the three bytes. */
    private fun shiftOf(channel: Int) = 8 * (Tensor.CHANNELS - 1 - channel)
}
