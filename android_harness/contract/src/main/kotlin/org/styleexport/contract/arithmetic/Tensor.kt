package org.styleexport.contract.arithmetic

/**
 * Elements in row-major order; images are [1, 3, H, W], RGB in 0..1, between stages.
 *
 * @property shape axis lengths.
 * @property data as many elements as the axes hold.
 */
public class Tensor(public val shape: List<Int>, public val data: FloatArray) {
    init {
        require(shape.fold(1, Int::times) == data.size) { "${data.size} elements for $shape" }
    }

    /** Whether it is an image: [1, 3, H, W]. */
    public val isImage: Boolean get() = shape.size == 4

    public companion object {
        /** Return an image of zeros. */
        public fun image(height: Int, width: Int): Tensor =
            Tensor(listOf(1, CHANNELS, height, width), FloatArray(CHANNELS * height * width))

        /** Of an image: red, green and blue. */
        public const val CHANNELS: Int = 3
    }
}
