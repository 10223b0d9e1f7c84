package org.styleexport.contract

import java.nio.ByteBuffer
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.styleexport.contract.arithmetic.CameraFrame
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.stylize.ModelRunner
import org.styleexport.contract.stylize.Style

class ModelRunnerTest {
    private val size = SizeFact(8, 12)
    private val content = Tensor.image(8, 12)
    private val code = Style.Code(Tensor(listOf(1, 6), FloatArray(6) { 0.5f }))
    private val styleImage = Style.Image { Tensor.image(it.height, it.width) }
    private val manifest = Manifest.read(Fixtures.bytes("manifests/colour-transfer.json"))
    private val transform = manifest.files.first { it.role == Role.TRANSFORM }
    private val fixed = Manifest.read(Fixtures.bytes("manifests/one-filter.json")).files.first()

    private fun answer(name: String, value: Float) =
        mapOf(name to Tensor.image(8, 12).also { it.data.fill(value) })

    @Test
    fun aTransformFileGetsContentCodeAndStrength() {
        var fed = emptyMap<String, Tensor>()
        val runner = ModelRunner(transform, size) { inputs ->
            fed = inputs
            answer("image", 0.25f)
        }
        val output = runner.stylize(content, code, 0.5f)
        assertEquals(setOf("content", "style_code", "strength"), fed.keys)
        assertEquals(0.5f, fed.getValue("strength").data.single())
        // The file itself knows of the strength.
        assertEquals(0.25f, output.data[0])
        assertFailsWith<IllegalArgumentException> { runner.stylize(content, Style.Fixed, 1f) }
    }

    @Test
    fun aNetworkOfOneStyleIsMixedWithThePhotograph() {
        val name = fixed.outputs.first().name
        val runner = ModelRunner(fixed, size) { answer(name, 0.8f) }
        assertEquals(0.8f, runner.stylize(content, Style.Fixed, 1f).data[0])
        assertEquals(0.2f, runner.stylize(content, Style.Fixed, 0.25f).data[0], 1e-6f)
    }

    @Test
    fun whatIsNotFiniteIsNoPainting() {
        val runner = ModelRunner(transform, size) { answer("image", Float.NaN) }
        assertFailsWith<ArithmeticException> { runner.stylize(content, code, 1f) }
    }

    @Test
    fun aPaintingIsEncodedAtTheFilesSize() {
        val encoder = manifest.files.first { it.role == Role.ENCODE }
        val runner = ModelRunner(encoder, size) { inputs ->
            assertEquals(listOf(1, 3, 8, 12), inputs.getValue("style").shape)
            mapOf("style_code" to code.code)
        }
        assertContentEquals(code.code.data, runner.encode(styleImage).data)
    }

    @Test
    fun cameraFramesAreTurnedUpright() {
        // Two rows of four, brightness 0, 10 .. 70, no colour.
        val grey = ByteBuffer.wrap(ByteArray(8) { (it * 10).toByte() })
        val flat = ByteBuffer.wrap(ByteArray(2) { 128.toByte() })
        val colour = CameraFrame.Plane(flat, 2, 1)
        val frame = CameraFrame(SizeFact(2, 4), CameraFrame.Plane(grey, 4, 1), colour, colour)
        fun turned(turns: Int, height: Int, width: Int) =
            frame.image(turns, SizeFact(height, width)).data.take(8).map { Math.round(it * 255) }
        assertEquals(listOf(0, 10, 20, 30, 40, 50, 60, 70), turned(0, 2, 4))
        assertEquals(listOf(40, 0, 50, 10, 60, 20, 70, 30), turned(1, 4, 2))
        assertEquals(listOf(70, 60, 50, 40, 30, 20, 10, 0), turned(2, 2, 4))
        assertEquals(listOf(30, 70, 20, 60, 10, 50, 0, 40), turned(3, 4, 2))
    }

    @Test
    fun cameraColoursAreThoseOfJpeg() {
        val planes = listOf(76, 85, 255).map {
            CameraFrame.Plane(ByteBuffer.wrap(byteArrayOf(it.toByte())), 1, 1)
        }
        val red = CameraFrame(SizeFact(1, 1), planes[0], planes[1], planes[2])
        val bytes = red.image(0, SizeFact(1, 1)).data.map { Math.round(it * 255) }
        assertEquals(listOf(254, 0, 0), bytes)
    }
}
