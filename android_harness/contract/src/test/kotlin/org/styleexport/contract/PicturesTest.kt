package org.styleexport.contract

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.arithmetic.Half
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.ColourOrder
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.PixelRange
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TensorLayout

class PicturesTest {
    private val image = Tensor.image(3, 5).also { image ->
        image.data.indices.forEach { image.data[it] = it / 50f }
    }

    @Test
    fun numbersOf16Bits() {
        val known = mapOf(
            0f to 0x0000, -0f to 0x8000, 1f to 0x3C00, -2f to 0xC000, 65504f to 0x7BFF,
            65520f to 0x7C00, 5.9604645e-8f to 0x0001, 6.1035156e-5f to 0x0400,
            0.333251953125f to 0x3555,
            1.00048828125f to 0x3C00, 1.00146484375f to 0x3C02, Float.NEGATIVE_INFINITY to 0xFC00,
        )
        for ((value, bits) in known) {
            assertEquals(bits.toShort(), Half.fromFloat(value), "$value")
        }
        for (bits in 0..0xFFFF) {
            val value = Half.toFloat(bits.toShort())
            if (!value.isNaN()) assertEquals(bits.toShort(), Half.fromFloat(value), "$bits")
        }
        assertTrue(Half.toFloat(Half.fromFloat(Float.NaN)).isNaN())
    }

    @Test
    fun whatAFileTakesComesBackAsItWas() {
        for (dtype in ElementType.entries) {
            for (layout in listOf(TensorLayout.NCHW, TensorLayout.NHWC)) {
                val isFirst = layout == TensorLayout.NCHW
                val shape = if (isFirst) listOf(1, 3, 3, 5) else listOf(1, 3, 5, 3)
                val isByte = dtype == ElementType.UINT8
                val range = if (isByte) PixelRange(0f, 255f) else PixelRange(-1f, 1f)
                val fact = TensorFact(
                    "x", TensorKind.IMAGE, shape, dtype, layout, range, ColourOrder.RGB,
                )
                val tensor = FileTensor.of(fact, 3, 5)
                val bytes = ByteBuffer.allocateDirect(tensor.bytes).order(ByteOrder.nativeOrder())
                tensor.encode(image, bytes)
                val back = tensor.decode(bytes)
                assertEquals(image.shape, back.shape)
                val tolerance = if (dtype == ElementType.FLOAT32) 1e-6f else 2.1e-3f
                for ((a, b) in image.data.zip(back.data)) assertEquals(a, b, tolerance, "$dtype")
            }
        }
    }

    @Test
    fun anotherShapeIsRefused() {
        val fact = TensorFact(
            "c", TensorKind.STYLE_CODE, listOf(1, 6), ElementType.FLOAT32, TensorLayout.NK,
        )
        val tensor = FileTensor.of(fact, 3, 5)
        assertFailsWith<IllegalArgumentException> {
            tensor.encode(Tensor(listOf(1, 5), FloatArray(5)), ByteBuffer.allocate(24))
        }
    }

    @Test
    fun aPhotoComesOutOfItsFrameAsItWentIn() {
        val frame = Frame.of(SizeFact(3, 5), SizeFact(8, 12))
        val inner = Tensor.image(frame.inner.height, frame.inner.width)
        inner.data.indices.forEach { inner.data[it] = it.toFloat() }
        val filled = frame.fill(inner)
        assertEquals(listOf(1, 3, 8, 12), filled.shape)
        assertContentEquals(inner.data, frame.crop(filled).data)
        // The row above the photo mirrors its first.
        if (frame.top > 0) {
            assertEquals(filled.data[frame.top * 12 + 3], filled.data[(frame.top - 1) * 12 + 3])
        }
    }

    @Test
    fun anEnlargedPhotoComesOutOfItsFrameWhole() {
        val frame = Frame.of(SizeFact(3, 5), SizeFact(8, 12))
        val inner = Tensor.image(frame.inner.height, frame.inner.width)
        inner.data.indices.forEach { inner.data[it] = it.toFloat() }
        val twice = frame.crop(doubled(frame.fill(inner)))
        assertEquals(listOf(1, 3, 2 * frame.inner.height, 2 * frame.inner.width), twice.shape)
        assertContentEquals(doubled(inner).data, twice.data)
    }

    private fun doubled(image: Tensor): Tensor {
        val (rows, columns) = image.shape.drop(2).map { side -> IntArray(2 * side) { it / 2 } }
        return Mirror.gather(image, rows, columns)
    }
}
