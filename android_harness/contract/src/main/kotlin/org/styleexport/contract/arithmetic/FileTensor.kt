package org.styleexport.contract.arithmetic

import java.nio.ByteBuffer
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.Layout
import org.styleexport.contract.facts.PixelRange
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind

/**
 * One input or output of a file: tensors between stages ↔ bytes as the file has them.
 *
 * @property shape axis lengths of the file's tensor.
 */
public class FileTensor(private val fact: TensorFact, public val shape: List<Int>) {
    private val plane = if (isImage) pixelsOf(fact.layout, shape) else 1
    private val range = fact.pixelRange?.takeIf { isImage } ?: PixelRange.UNIT
    private val step = range.high - range.low
    private val isImage get() = fact.kind == TensorKind.IMAGE

    /** How many elements it holds. */
    public val elements: Int get() = shape.fold(1, Int::times)

    /** How many bytes it takes. */
    public val bytes: Int get() = elements * fact.dtype.bytes

    /** The shape of the tensor between stages. */
    public val stageShape: List<Int>
        get() = if (isImage && fact.layout != Layout.NCHW) {
            listOf(shape[0], shape[3], shape[1], shape[2])
        } else {
            shape
        }

    /** Write a tensor as the file takes it, from the buffer's beginning; leave it rewound. */
    public fun encode(tensor: Tensor, into: ByteBuffer) {
        require(tensor.shape == stageShape) {
            "${fact.name} is ${tensor.shape}, expected $stageShape"
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

    /** Return the tensor of what a file gave, read from the buffer's beginning. */
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
        return Tensor(stageShape, data)
    }

    private fun scaled(value: Float) =
        if (range == PixelRange.UNIT) value else range.low + value * step

    private fun unscaled(value: Float) =
        if (range == PixelRange.UNIT) value else (value - range.low) / step

    /** Return where an element of the file stands between stages. */
    private fun sourceOf(index: Int): Int {
        if (!isImage || fact.layout == Layout.NCHW) return index
        val channels = shape[3]
        val pixel = index / channels
        val batch = pixel / plane
        return (batch * channels + index % channels) * plane + pixel % plane
    }

    public companion object {
        /**
         * Return a tensor of a file at a size, which fills the axes of any length.
         *
         * @param height of the picture; ignored by tensors whose axes are all fixed.
         */
        public fun of(fact: TensorFact, height: Int, width: Int): FileTensor {
            val sides = if (fact.layout == Layout.NHWC) listOf(1, 2) else listOf(2, 3)
            val shape = fact.shape.mapIndexed { axis, length ->
                length ?: when {
                    fact.kind != TensorKind.IMAGE -> 1
                    axis == sides[0] -> height
                    axis == sides[1] -> width
                    else -> 1
                }
            }
            return FileTensor(fact, shape)
        }

        private fun pixelsOf(layout: Layout, shape: List<Int>) =
            if (layout == Layout.NCHW) shape[2] * shape[3] else shape[1] * shape[2]
    }
}
