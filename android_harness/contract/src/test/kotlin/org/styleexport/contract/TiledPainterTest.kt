package org.styleexport.contract

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.util.concurrent.CancellationException
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TensorLayout
import org.styleexport.contract.facts.isPass
import org.styleexport.contract.facts.probesOf
import org.styleexport.contract.facts.tilingOf
import org.styleexport.contract.measure.ProbeCheck
import org.styleexport.contract.stylize.MixedWriter
import org.styleexport.contract.stylize.TensorPicture
import org.styleexport.contract.stylize.TilePicture
import org.styleexport.contract.stylize.TileProgress
import org.styleexport.contract.stylize.TiledPainter

/** Painting in tiles with `manifests/tiling.json`, whose passes are computed here. */
class TiledPainterTest {
    private val manifest = Manifest.read(Fixtures.bytes("manifests/tiling.json"))
    private val probe =
        SafeTensors.read(Fixtures.bytes("probes/colour-transfer_render_50x61.safetensors"))
    private val picture = TensorPicture(probe.getValue("content"))
    private val tiling = manifest.tilings.first()
    private val folder: File = Files.createTempDirectory("tiles").toFile()
    private val opened = ArrayList<String>()
    private val painter = painter { it }

    private fun painter(change: (Map<String, Tensor>) -> Map<String, Tensor>) =
        TiledPainter(tiling, manifest.files, folder) { file ->
            opened.add(file.path)
            SmallPass(file, change)
        }

    @AfterTest
    fun nothingIsLeft() {
        assertEquals(emptyList(), folder.list()!!.toList())
        folder.delete()
    }

    @Test
    fun tilesPaintWhatTheNetworkPaintsOfTheWholePicture() {
        val painted = painter.painting(probe)
        assertNear(probe.getValue("image"), painted)
        assertEquals(tiling.passes.map { it.path }, opened)
        assertEquals(21, painter.total(picture.size))
        val last = manifest.files.first { it.path == tiling.passes.last().path }
        val parity = ProbeCheck.parity(last, painted, probe, "android")
        assertTrue(parity.measuredDb > 110, "${parity.measuredDb} dB")
    }

    @Test
    fun anotherStrengthIsRenderedFromTheSameFeatures() {
        val seen = ArrayList<TileProgress>()
        painter.features(picture, keep = true) { seen.add(it) }.use { features ->
            val weak = probe + ("strength" to Tensor(listOf(1), floatArrayOf(0f)))
            val first = rendered { writer ->
                painter.render(features, weak, { seen.add(it) }, writer)
            }
            val second = rendered { painter.render(features, probe, { true }, it) }
            assertNear(probe.getValue("image"), second)
            assertTrue(first.data.zip(second.data).any { (a, b) -> Math.abs(a - b) > 0.02 })
        }
        assertEquals((1..21).map { TileProgress(it, 21) }, seen)
        val paths = tiling.passes.map { it.path }
        assertEquals(paths + paths.drop(1), opened)
    }

    private fun rendered(render: ((Int, Int, Tensor) -> Unit) -> Unit): Tensor {
        val image = Tensor.image(picture.size.height, picture.size.width)
        render { top, left, pixels -> image.put(top, left, pixels) }
        return image
    }

    @Test
    fun whatIsCancelledLeavesNothing() {
        for (last in listOf(1, 5, 9, 15, 20)) {
            val report = { progress: TileProgress -> progress.done < last }
            assertFailsWith<CancellationException>("$last") {
                painter.features(picture, keep = true, report).use { features ->
                    painter.render(features, probe, report) { _, _, _ -> }
                }
            }
            assertEquals(0, folder.list()!!.size, "$last")
        }
        // Kept features serve another painting after one that was cancelled.
        painter.features(picture, keep = true) { true }.use { features ->
            val stop = { progress: TileProgress -> progress.done < 14 }
            assertFailsWith<CancellationException> {
                painter.render(features, probe, stop) { _, _, _ -> }
            }
            assertNear(
                probe.getValue("image"), rendered { painter.render(features, probe, { true }, it) },
            )
        }
    }

    @Test
    fun picturesOfEverySize() {
        for ((height, width) in listOf(1 to 1, 3 to 200, 24 to 32, 25 to 33)) {
            val content = Tensor.image(height, width)
            content.data.indices.forEach { content.data[it] = it * 7 % 11 / 10f }
            val painted = painter.painting(probe + ("content" to content))
            assertEquals(listOf(1, 3, height, width), painted.shape)
        }
    }

    @Test
    fun withoutAStrengthPaintingsAreMixedWithThePhoto() {
        assertEquals(1 to true, painter.scale to painter.takesStrength)
        val mixed = Tensor.image(2 * picture.size.height, 2 * picture.size.width)
        val writer = MixedWriter(picture, 2, 0.25f, mixed::put)
        val painted = Tensor.image(mixed.shape[2], mixed.shape[3]).also { it.data.fill(1f) }
        writer.write(0, 0, painted)
        val value = probe.getValue("content").data[62]
        // The second pixel of the second row.
        assertEquals(value + 0.25f * (1 - value), mixed.data[2 * 2 * 61 + 2], 1e-6f)
    }

    @Test
    fun whatIsNotFiniteIsNoPainting() {
        val broken = painter { outputs ->
            outputs.onEach { (name, value) -> if (name == "map_1") value.data[5] = Float.NaN }
        }
        val failure = assertFailsWith<ArithmeticException> { broken.painting(probe) }
        assertTrue(failure.message!!.contains("_render-1_"), failure.message)
    }

    @Test
    fun withoutRoomNothingBegins() {
        val huge = object : TilePicture {
            override val size = SizeFact(30_000_000, 30_000_000)

            override fun window(rows: IntArray, columns: IntArray) = error("it is not read")
        }
        val failure = assertFailsWith<IOException> {
            painter.features(huge, keep = true) { true }
        }
        assertTrue("of storage, and" in failure.message!!, failure.message)
        assertEquals(emptyList(), opened)
    }

    @Test
    fun aMissingInputIsNamed() {
        val failure = assertFailsWith<IllegalArgumentException> {
            painter.painting(probe - "style_code")
        }
        assertEquals("the input style_code is missing", failure.message)
        assertFailsWith<IllegalArgumentException> {
            TiledPainter(tiling, emptyList(), folder) { SmallPass(it) { outputs -> outputs } }
        }
    }

    @Test
    fun passesAreNeitherMeasuredNorPaintedWithAlone() {
        val passes = manifest.files.filter(FileFact::isPass)
        assertEquals(9, passes.size)
        assertEquals(emptyList(), passes.flatMap(manifest::probesOf))
        for (file in manifest.files.filter { it.role == Role.TRANSFORM }) {
            assertEquals(file.target, manifest.tilingOf(file)?.target)
        }
        assertEquals(null, manifest.tilingOf(manifest.files.first { it.role == Role.ENCODE }))
    }

    @Test
    fun mapsOfChannelsLastAreTurned() {
        val fact = TensorFact(
            "map_0", TensorKind.MAP, listOf(1, 2, 3, 4), ElementType.FLOAT32, TensorLayout.NHWC,
        )
        val tensor = FileTensor.of(fact, 16, 24)
        assertEquals(listOf(1, 4, 2, 3), tensor.tensorShape)
        val map = Tensor(tensor.tensorShape, FloatArray(24) { it.toFloat() })
        val buffer = ByteBuffer.allocate(tensor.bytes).order(ByteOrder.nativeOrder())
        tensor.encode(map, buffer)
        assertEquals(6f, buffer.getFloat(4))
        assertContentEquals(map.data, tensor.decode(buffer).data)
    }

    private fun assertNear(expected: Tensor, actual: Tensor) {
        assertEquals(expected.shape, actual.shape)
        val worst = expected.data.indices.maxOf { Math.abs(expected.data[it] - actual.data[it]) }
        assertTrue(worst < 1e-5, "$worst")
    }
}
