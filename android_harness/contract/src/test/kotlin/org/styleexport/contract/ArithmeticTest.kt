package org.styleexport.contract

import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.BestSize
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.Frame
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Parity
import org.styleexport.contract.arithmetic.Pixels
import org.styleexport.contract.artifact.Digest
import org.styleexport.contract.facts.Blending
import org.styleexport.contract.facts.CodeLayoutFact
import org.styleexport.contract.facts.CodePartFact
import org.styleexport.contract.facts.ColourOrder
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.PixelRange
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TensorLayout
import org.styleexport.contract.measure.MemoryGroups
import org.styleexport.contract.measure.Mulberry32
import org.styleexport.contract.measure.WarmUp
import org.styleexport.contract.stylize.StyleBlend

class ArithmeticTest {
    private val network =
        Manifest.read(Fixtures.bytes("manifests/colour-transfer.json")).network

    /** Check every case of a kind; a kind without cases fails. */
    private fun each(kind: String, check: (JsonObject) -> Unit) {
        val cases = Fixtures.sums(kind)
        assertTrue(cases.isNotEmpty(), kind)
        cases.forEach(check)
    }

    private fun assertNear(expected: FloatArray, actual: FloatArray, name: String) {
        assertEquals(expected.size, actual.size, name)
        expected.zip(actual).forEachIndexed { index, (one, other) ->
            val allowed = 1e-6f * maxOf(1f, Math.abs(one))
            assertTrue(Math.abs(one - other) <= allowed, "$name[$index]: $other, expected $one")
        }
    }

    private fun size(value: JsonElement): SizeFact {
        val (height, width) = value.ints()
        return SizeFact(height, width)
    }

    /** A picture's size is written width first. */
    private fun picture(value: JsonElement): SizeFact {
        val (width, height) = value.ints()
        return SizeFact(height, width)
    }

    private fun fileTensor(case: JsonObject): FileTensor {
        val (low, high) = case["pixel_range"].floats().toList()
        val (height, width) = listOf(case["height"].int(), case["width"].int())
        val layout = TensorLayout.entries.single { it.serialName == case["layout"].text() }
        val isFirst = layout == TensorLayout.NCHW
        val shape = if (isFirst) listOf(1, 3, null, null) else listOf(1, null, null, 3)
        assertEquals("float32", case["dtype"].text())
        val fact = TensorFact(
            "image", TensorKind.IMAGE, shape, ElementType.FLOAT32, layout,
            PixelRange(low, high), ColourOrder.RGB,
        )
        return FileTensor.of(fact, height, width)
    }

    private fun buffer(tensor: FileTensor) =
        ByteBuffer.allocateDirect(tensor.bytes).order(ByteOrder.nativeOrder())

    @Test
    fun pixelsBecomeAFilesFloats() = each("pixels") { case ->
        val pixels = case["rgb"].ints().chunked(3)
            .map { (red, green, blue) -> red shl 16 or (green shl 8) or blue }.toIntArray()
        val tensor = fileTensor(case)
        val bytes = buffer(tensor)
        tensor.encode(Pixels.tensor(pixels, case["height"].int(), case["width"].int()), bytes)
        val actual = FloatArray(tensor.elements) { bytes.getFloat() }
        assertNear(case["expected"].floats(), actual, case["name"].text())
    }

    @Test
    fun aFilesFloatsBecomePixels() = each("floats") { case ->
        val tensor = fileTensor(case)
        val bytes = buffer(tensor)
        case["floats"].floats().forEach(bytes::putFloat)
        val actual = Pixels.pixels(tensor.decode(bytes))
            .flatMap { listOf(it shr 16 and 0xFF, it shr 8 and 0xFF, it and 0xFF) }
        assertEquals(case["expected"].ints(), actual, case["name"].text())
    }

    @Test
    fun psnr() = each("psnr") { case ->
        val reference = case["reference"].floats()
        val actual = Parity.psnrDb(case["output"].floats(), reference, case["peak"].doubleOrNull())
        assertEquals(case["expected_db"].double(), Math.rint(actual * 100) / 100, 1e-6)
    }

    @Test
    fun stableWindows() = each("stable") { case ->
        val samples = case["samples"].list().map { it.long() }
        val actual = WarmUp.isStable(samples, case["window"].int(), case["tolerance"].double())
        assertEquals(case["expected"].boolean(), actual, "$samples")
    }

    @Test
    fun orderOfTurns() = each("shuffle") { case ->
        val random = Mulberry32(case["seed"].long())
        val items = List(case["count"].int()) { it }
        val actual = List(case["rounds"].int()) { random.shuffled(items) }
        assertEquals(case["expected"].list().map { it.ints() }, actual)
    }

    @Test
    fun groupsOfOneSize() = each("groups") { case ->
        val sizes = case["sizes"].list().map(::size)
        val actual = MemoryGroups.of(sizes.indices.toList()) { sizes[it] }
        assertEquals(case["expected"].list().map { it.ints() }, actual)
    }

    @Test
    fun blendedStyles() = each("blend") { case ->
        val codes = case["codes"].list().map { it.floats() }
        val weights = case["weights"].list().map { it.double() }
        val blending = Blending.entries.single { it.serialName == case["blending"].text() }
        val part = CodePartFact("code", listOf(codes.first().size))
        val layout = CodeLayoutFact(listOf(part), blending, "the reason")
        val owner = network.copy(codeLayout = layout)
        if (case["expected"] is JsonNull) {
            val error = assertFailsWith<IllegalArgumentException> {
                StyleBlend.of(codes, weights, owner)
            }
            assertEquals(case["error"].text(), error.message)
        } else {
            assertNear(case["expected"].floats(), StyleBlend.of(codes, weights, owner), "$weights")
        }
    }

    @Test
    fun badWeightsAreRefused() {
        val code = floatArrayOf(1f)
        for (weights in listOf(listOf(-1.0), listOf(0.0), listOf(Double.NaN), listOf(1.0, 1.0))) {
            assertFailsWith<IllegalArgumentException>("$weights") {
                StyleBlend.of(listOf(code), weights, network)
            }
        }
    }

    @Test
    fun framesOfPhotographs() = each("frame") { case ->
        val photo = picture(case["picture"])
        val frame = if (case["outer"] is JsonNull) {
            Frame.open(photo, case["max_side"].int(), case["min_side"].int())
        } else {
            Frame.of(photo, size(case["outer"]))
        }
        val fields = case["expected"]
        val expected = Frame(
            size(fields["outer"]), size(fields["inner"]), fields["top"].int(),
            fields["left"].int(),
        )
        assertEquals(expected, frame)
    }

    @Test
    fun bestOfSeveralSizes() = each("best_size") { case ->
        val file = Manifest.read(Fixtures.bytes("manifests/adain-lite.json")).files.first()
        val files = case["sizes"].list().map { file.copy(size = size(it), sizes = emptyList()) }
        val actual = BestSize.of(files, picture(case["picture"]))
        assertEquals(size(case["expected"]), actual.size)
    }

    @Test
    fun mirroredEdges() = each("mirror") { case ->
        val (length, before, after) = listOf("length", "before", "after").map { case[it].int() }
        val actual = Mirror.indices(length, -before, before + length + after)
        assertContentEquals(case["expected"].ints().toIntArray(), actual)
    }

    @Test
    fun digestsOfPackages() = each("sha256") { case ->
        val root = Files.createTempDirectory("digest").toFile()
        try {
            for (file in case["files"].list()) {
                val path = file["path"].text()
                val place = if (path.isEmpty()) File(root, "whole") else File(root, "whole/$path")
                place.parentFile.mkdirs()
                place.writeText(file["text"].text())
            }
            val actual = Digest.of(File(root, "whole"))
            assertEquals(case["expected"].text(), actual, case["name"].text())
        } finally {
            root.deleteRecursively()
        }
    }
}
