package org.styleexport.contract.arithmetic

/** Pictures to tensors and back; a pixel is an Int, 0xAARRGGBB, as Android's bitmaps have it. */
public object Pixels {
    private const val OPAQUE = 0xFF shl 24
    private const val BYTE = 0xFF
    private const val HIGHEST = 255f

    /** Return the image of some pixels, row by row; what is transparent is laid over black. */
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

    /** Return the opaque pixels of an image, values clipped to 0..1 and rounded half to even. */
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

    /** Return a value in 0..1 as a byte; what is not a number is 0. */
    public fun byteOf(value: Float): Int {
        val scaled = value * HIGHEST
        return if (scaled.isNaN()) 0 else Math.rint(scaled.coerceIn(0f, HIGHEST).toDouble()).toInt()
    }

    /** Red is the highest of the three bytes. */
    private fun shiftOf(channel: Int) = 8 * (Tensor.CHANNELS - 1 - channel)
}
