package org.styleexport.contract.arithmetic

import java.nio.ByteBuffer
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.PixelRange
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TensorLayout
import org.styleexport.contract.facts.bytes

/**
 * Input or output of an exported file: converts between [Tensor] and the file's own layout, pixel
 * range and element type.
 *
 * @property shape axis lengths in the file's layout.
 */
public class FileTensor(private val fact: TensorFact, public val shape: List<Int>) {
    private val plane = if (isSpatial) pixelsOf(fact.layout, shape) else 1
    private val range = fact.pixelRange?.takeIf { isImage } ?: PixelRange.UNIT
    private val step = range.high - range.low
    private val isImage get() = fact.kind == TensorKind.IMAGE

    /** Whether it has the axes of an image, as its gradient and feature maps have. */
    private val isSpatial get() = fact.kind in SPATIAL

    /** Number of elements. */
    public val elements: Int get() = shape.fold(1, Int::times)

    /** Size of the buffer in bytes. */
    public val bytes: Int get() = elements * fact.dtype.bytes

    /** Shape of the [Tensor]: NCHW for images, their gradients, and maps. */
    public val tensorShape: List<Int>
        get() = if (isSpatial && fact.layout != TensorLayout.NCHW) {
            listOf(shape[0], shape[3], shape[1], shape[2])
        } else {
            shape
        }

    /**
     * Write a tensor into a buffer, from its beginning, and rewind it.
     *
     * @throws IllegalArgumentException the tensor has another shape.
     */
    public fun encode(tensor: Tensor, into: ByteBuffer) {
        require(tensor.shape == tensorShape) {
            "${fact.name} is ${tensor.shape}, expected $tensorShape"
        }
        into.clear()
        for (index in 0 until elements) {
            val value = tensor.data[sourceOf(index)]
            when (fact.dtype) {
                ElementType.FLOAT32 -> into.putFloat(scaled(value))
                ElementType.FLOAT16 -> into.putShort(Half.fromFloat(scaled(value)))
                ElementType.UINT8 -> into.put(Pixels.byteOf(value).toByte())
            }
        }
        into.rewind()
    }

    /** Return the tensor that a buffer holds, from its beginning. */
    public fun decode(from: ByteBuffer): Tensor {
        from.rewind()
        val data = FloatArray(elements)
        for (index in data.indices) {
            data[sourceOf(index)] = when (fact.dtype) {
                ElementType.FLOAT32 -> unscaled(from.getFloat())
                ElementType.FLOAT16 -> unscaled(Half.toFloat(from.getShort()))
                ElementType.UINT8 -> (from.get().toInt() and 0xFF) / 255f
            }
        }
        from.rewind()
        return Tensor(tensorShape, data)
    }

    private fun scaled(value: Float) =
        if (range == PixelRange.UNIT) value else range.low + value * step

    private fun unscaled(value: Float) =
        if (range == PixelRange.UNIT) value else (value - range.low) / step

    /** Return the index in the [Tensor] of an element of the file. */
    private fun sourceOf(index: Int): Int {
        if (!isSpatial || fact.layout == TensorLayout.NCHW) return index
        val channels = shape[3]
        val pixel = index / channels
        val batch = pixel / plane
        return (batch * channels + index % channels) * plane + pixel % plane
    }

    public companion object {
        private val SPATIAL = setOf(TensorKind.IMAGE, TensorKind.GRADIENT, TensorKind.MAP)

        /**
         * Return an input or output at an image size, which fills axes of any length.
         *
         * @param height image height in pixels; unused where every axis is fixed.
         * @param width image width in pixels; the same.
         */
        public fun of(fact: TensorFact, height: Int, width: Int): FileTensor {
            val sides = if (fact.layout == TensorLayout.NHWC) listOf(1, 2) else listOf(2, 3)
            val shape = fact.shape.mapIndexed { axis, length ->
                length ?: when {
                    fact.kind !in SPATIAL -> 1
                    axis == sides[0] -> height
                    axis == sides[1] -> width
                    else -> 1
                }
            }
            return FileTensor(fact, shape)
        }

        private fun pixelsOf(layout: TensorLayout, shape: List<Int>) =
            if (layout == TensorLayout.NCHW) shape[2] * shape[3] else shape[1] * shape[2]
    }
}

/** Half-precision floats (IEEE 754 binary16), stored in a Short. */
public object Half {
    private const val SIGN = 0x8000
    private const val INFINITY = 0x7C00
    private const val QUIET = 0x7E00
    private const val BIAS = 127 - 15
    private const val FRACTION_BITS = 13
    private const val SUBNORMAL_STEP = 5.9604645e-8f // 2^-24

    /** Return the nearest half; ties round to even. */
    public fun fromFloat(value: Float): Short {
        val bits = value.toRawBits()
        val sign = bits ushr 16 and SIGN
        val magnitude = Math.abs(value)
        val half = when {
            value.isNaN() -> QUIET
            magnitude >= 65_520f -> INFINITY
            // Subnormal numbers are evenly spaced.
            magnitude < 6.1035156e-5f -> Math.rint((magnitude / SUBNORMAL_STEP).toDouble()).toInt()
            else -> normal(bits and Int.MAX_VALUE)
        }
        return (sign or half).toShort()
    }

    private fun normal(bits: Int): Int {
        val even = bits ushr FRACTION_BITS and 1
        val rounded = bits + (1 shl FRACTION_BITS - 1) - 1 + even
        return (rounded ushr FRACTION_BITS) - (BIAS shl 10)
    }

    /** Return a half as a float, exactly. */
    public fun toFloat(half: Short): Float {
        val bits = half.toInt() and 0xFFFF
        val exponent = bits ushr 10 and 0x1F
        val fraction = bits and 0x3FF
        val magnitude = when (exponent) {
            0 -> fraction * SUBNORMAL_STEP
            0x1F -> if (fraction == 0) Float.POSITIVE_INFINITY else Float.NaN
            else -> Float.fromBits(exponent + BIAS shl 23 or (fraction shl FRACTION_BITS))
        }
        return if (bits and SIGN != 0) -magnitude else magnitude
    }
}
