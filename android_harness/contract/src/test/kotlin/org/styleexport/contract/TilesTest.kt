package org.styleexport.contract

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.MapShape
import org.styleexport.contract.arithmetic.MergedStatistic
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Span
import org.styleexport.contract.arithmetic.TileGrid
import org.styleexport.contract.facts.MapFact
import org.styleexport.contract.facts.Precision
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.StatisticFact
import org.styleexport.contract.facts.StatisticKind
import org.styleexport.contract.facts.TilePassFact
import org.styleexport.contract.facts.TilingFact

/** Arithmetic of tiles, by the cases of tiles.json. */
class TilesTest {
    private val cases = Fixtures.json("tiles.json") as JsonObject

    private fun each(kind: String, check: (JsonElement) -> Unit) {
        val list = cases[kind].list()
        assertTrue(list.isNotEmpty(), kind)
        list.forEach(check)
    }

    private fun size(value: JsonElement): SizeFact {
        val (height, width) = value.ints()
        return SizeFact(height, width)
    }

    private fun tiling(window: SizeFact, grid: Int, maps: List<MapFact> = emptyList()) = TilingFact(
        Role.TRANSFORM, "onnx", Precision.FP32, window, grid, emptyList(), maps, emptyList(),
        tiledDb = 120.0, largestDifference = 0.0,
    )

    private fun margins(case: JsonElement): TilePassFact {
        val (top, bottom, left, right) = case["margins"].ints()
        return TilePassFact("pass.onnx", top, bottom, left, right)
    }

    /** Return the grid of a case, whose sides are on it. */
    private fun grid(case: JsonElement, maps: List<MapFact> = emptyList()) =
        TileGrid.of(size(case["sides"]), tiling(size(case["window"]), 1, maps))

    @Test
    fun sidesOnTheGrid() = each("on_grid") { case ->
        val tiling = tiling(size(case["window"]), case["grid"].int())
        val grid = TileGrid.of(size(case["picture"]), tiling)
        assertEquals(case["expected"].ints(), listOf(grid.height, grid.width))
    }

    @Test
    fun spansOfSides() = each("spans") { case ->
        val (length, window, first, last) =
            listOf("length", "window", "first", "last").map { case[it].int() }
        val spans = { TileGrid.spans(length, window, first, last) }
        if (case["expected"].isJsonNull) {
            val failure = assertFailsWith<IllegalArgumentException> { spans() }
            assertEquals(case["error"].text(), failure.message)
        } else {
            val expected = case["expected"].list().map { it.ints() }
            assertEquals(expected, spans().map { listOf(it.start, it.begin, it.end) })
        }
    }

    @Test
    fun regionsInWindows() = each("tiles") { case ->
        val tiles = grid(case).tiles(margins(case))
        val expected = case["expected"].list().map {
            Triple(it["top"].int(), it["left"].int(), it["region"].ints())
        }
        assertEquals(expected, tiles.map { Triple(it.rows.start, it.columns.start, it.region) })
    }

    @Test
    fun tilesOfMaps() = each("maps") { case ->
        val (height, width, stride, scale) =
            listOf("height", "width", "stride", "scale").map { case[it].int() }
        val map = MapShape(height, width, stride, scale)
        val grid = grid(case)
        val tiles = grid.tiles(margins(case))
        val expected = case["expected"]
        assertEquals(size(expected["sides"]), grid.sizeOf(map))
        val inner = tiles.map { grid.inner(it, map) }
        assertEquals(spans(expected["rows"]), inner.map { it.rows })
        assertEquals(spans(expected["columns"]), inner.map { it.columns })
        assertEquals(
            expected["places"].list().map { it.long() }, tiles.map { grid.places(it, map) },
        )
    }

    private fun spans(value: JsonElement) = value.list().map {
        val (start, begin, end) = it.ints()
        Span(start, begin, end)
    }

    @Test
    fun statisticsMerge() = each("merged") { case ->
        val (length, correction, height, width) =
            listOf("length", "correction", "height", "width").map { case[it].int() }
        val kind = StatisticKind.entries.first { it.serialName == case["kind"].text() }
        val fact = StatisticFact("statistic_0", kind, length, correction, height, width, stride = 1)
        val merged = MergedStatistic(fact)
        case["counts"].list().zip(case["values"].list()) { count, values ->
            merged.add(count.long(), values.floats())
        }
        val expected = case["expected"]
        assertEquals(expected["count"].long(), merged.count)
        assertNear(expected["values"], merged.values, case["name"].text())
        val given = merged.given().data.map(Float::toDouble).toDoubleArray()
        assertNear(expected["given"], given, case["name"].text())
    }

    private fun assertNear(expected: JsonElement, actual: DoubleArray, name: String) {
        val values = expected.list().map { it.double() }
        assertEquals(values.size, actual.size, name)
        values.forEachIndexed { index, value ->
            val error = Math.abs(value - actual[index])
            assertTrue(error <= 1e-6 * Math.abs(value), "$name[$index]: ${actual[index]}, $value")
        }
    }

    @Test
    fun bytesOfMaps() = each("stored_bytes") { case ->
        val maps = case["maps"].list().map {
            val keys = listOf("channels", "height", "width", "stride", "scale")
            val (channels, height, width, stride, scale) = keys.map { key -> it[key].int() }
            MapFact(it["name"].text(), channels, height, width, stride, scale)
        }
        val grid = TileGrid.of(size(case["sides"]), tiling(SizeFact(128, 128), 8, maps))
        val names = { key: String ->
            case[key].list().map { pass -> pass.list().map { it.text() }.toSet() }
        }
        val kept = case["kept"].list().map { it.text() }.toSet()
        val bytes = grid.storedBytes(names("reads"), names("gives"), kept)
        assertEquals(case["expected"].long(), bytes)
    }

    @Test
    fun mirroredRanges() = each("mirrored") { case ->
        val (length, begin, count) = listOf("length", "begin", "count").map { case[it].int() }
        val expected = case["expected"].ints().toIntArray()
        assertContentEquals(expected, Mirror.indices(length, begin, count))
    }
}
