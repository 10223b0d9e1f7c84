package org.styleexport.contract

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.arithmetic.SmoothedStatistics
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.StatisticKind
import org.styleexport.contract.stylize.FramePainter
import org.styleexport.contract.stylize.TensorPicture
import org.styleexport.contract.stylize.TiledPainter

/** Statistics over time, by the cases of film.json; and frames of the small network. */
class FilmTest {
    private val film = Fixtures.json("film.json") as JsonObject

    @Test
    fun statisticsAreSmoothed() {
        assertEquals(film["longest_s"].double(), SmoothedStatistics.LONGEST_SECONDS)
        assertEquals(film["cut"].double(), SmoothedStatistics.CUT)
        assertEquals(film["floor"].double(), SmoothedStatistics.FLOOR)
        for (case in film["cases"].list()) {
            val kinds = case["kinds"].asJsonObject.entrySet().associate { (name, kind) ->
                name to StatisticKind.entries.first { it.serialName == kind.text() }
            }
            val smoothed = SmoothedStatistics(kinds, case["stability"].double())
            case["frames"].list().forEachIndexed { number, frame ->
                val name = "${case["name"].text()} $number"
                smoothed.frame(frame["seconds"].double())
                frame["passes"].list().zip(frame["smoothed"].list()) { pass, expected ->
                    assertNear(values(expected), smoothed.settle(values(pass)), name)
                }
                assertEquals(frame["cut"].boolean(), smoothed.isCut, name)
            }
        }
    }

    private fun values(statistics: JsonElement) = statistics.asJsonObject.entrySet()
        .associate { (name, list) -> name to list.list().map { it.double() }.toDoubleArray() }

    private fun assertNear(
        expected: Map<String, DoubleArray>, actual: Map<String, DoubleArray>, name: String,
    ) {
        assertEquals(expected.keys, actual.keys)
        for ((statistic, values) in expected) {
            values.zip(actual.getValue(statistic)).forEach { (one, other) ->
                val allowed = film["tolerance"].double() * maxOf(1.0, Math.abs(one))
                assertTrue(Math.abs(one - other) <= allowed, "$name: $other, expected $one")
            }
        }
    }

    private val manifest = Manifest.read(Fixtures.bytes("manifests/tiling.json"))
    private val tiling = manifest.tilings.first()
    private val probe =
        SafeTensors.read(Fixtures.bytes("probes/colour-transfer_render_50x61.safetensors"))
    private val window = TensorPicture(probe.getValue("content"))
        .window(IntArray(24) { it }, IntArray(32) { it })

    private fun frames(stability: Double, opened: ArrayList<String> = ArrayList()) =
        FramePainter(tiling, manifest.files, stability) { file ->
            opened.add(file.path)
            SmallPass(file) { it }
        }

    @Test
    fun aFrameIsPaintedAsAPictureOfItsSize() {
        val folder = kotlin.io.path.createTempDirectory("frames").toFile()
        val open = { file: FileFact -> SmallPass(file) { it } }
        val painter = TiledPainter(tiling, manifest.files, folder, open)
        val expected = painter.painting(probe + ("content" to window))
        folder.delete()
        val opened = ArrayList<String>()
        frames(0.0, opened).use { frames ->
            for (seconds in listOf(0.0, 0.04)) {
                val painted = frames.paint(window, probe, seconds)
                assertEquals(expected.data.toList(), painted.data.toList())
            }
        }
        assertEquals(tiling.passes.map { it.path }, opened)
    }

    @Test
    fun aSceneIsSmoothedAndACutBeginsAnew() {
        val data = FloatArray(window.data.size) { window.data[it] * 1.004f }
        val brighter = Tensor(window.shape, data)
        val other = Tensor(window.shape, window.data.reversedArray())
        for (index in other.data.indices) other.data[index] = other.data[index] / 4
        val own = frames(0.0).use { it.paint(brighter, probe, 0.0).data.toList() }
        frames(1.0).use { frames ->
            frames.paint(window, probe, 0.0)
            val smoothed = frames.paint(brighter, probe, 0.04).data.toList()
            assertTrue(own != smoothed)
            val apart = own.zip(smoothed) { one, two -> Math.abs(one - two) }.max()
            assertTrue(apart < 0.02, "$apart")
            val cut = frames.paint(other, probe, 0.08).data.toList()
            assertEquals(frames(0.0).use { it.paint(other, probe, 0.0).data.toList() }, cut)
        }
    }
}
