package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.MapFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.StatisticFact
import org.styleexport.contract.facts.TilePassFact
import org.styleexport.contract.facts.TilingFact

/**
 * Tile along one side of a picture, or of a map: in pixels, or in elements.
 *
 * @property start first pixel of the window.
 * @property begin first pixel of the tile.
 * @property end pixel after the tile's last.
 */
public data class Span(public val start: Int, public val begin: Int, public val end: Int) {
    /** Length of the tile. */
    public val length: Int get() = end - begin
}

/**
 * Tile of a picture, or of a map.
 *
 * @property rows its rows.
 * @property columns its columns.
 */
public data class Tile(public val rows: Span, public val columns: Span) {
    /** Top, left, bottom and right of the tile in its window. */
    public val region: List<Int>
        get() = listOf(
            rows.begin - rows.start, columns.begin - columns.start,
            rows.end - rows.start, columns.end - columns.start,
        )
}

/**
 * How a map of a picture compares with the picture; see [MapFact].
 *
 * @property height rows of the map of a window.
 * @property width columns of the map of a window.
 */
public data class MapShape(
    public val height: Int, public val width: Int, public val stride: Int, public val scale: Int,
)

/** Shape of a map. */
public val MapFact.mapShape: MapShape get() = MapShape(height, width, stride, scale)

/** Shape of the map of a statistic. */
public val StatisticFact.mapShape: MapShape get() = MapShape(height, width, stride, scale)

/**
 * Tiles of a picture, as all hosts place them; `tests/contract/tiles.json` has examples.
 *
 * @property height rows that tiles cover: on the grid, a window at least. What they have beyond the
 *   picture mirrors its edges.
 * @property width columns that tiles cover.
 */
public class TileGrid private constructor(
    public val height: Int, public val width: Int, private val tiling: TilingFact,
) {
    /**
     * Return the tiles of a pass, row by row.
     *
     * @throws IllegalArgumentException windows are all margin.
     */
    public fun tiles(pass: TilePassFact): List<Tile> {
        val rows = spans(height, tiling.window.height, pass.top, pass.bottom)
        val columns = spans(width, tiling.window.width, pass.left, pass.right)
        return rows.flatMap { row -> columns.map { column -> Tile(row, column) } }
    }

    /** Return height and width of the map of the picture. */
    public fun sizeOf(map: MapShape): SizeFact = SizeFact(
        map.height + (height - tiling.window.height) * map.scale / map.stride,
        map.width + (width - tiling.window.width) * map.scale / map.stride,
    )

    /** Return a tile in elements of a map. */
    public fun inner(tile: Tile, map: MapShape): Tile {
        val size = sizeOf(map)
        return Tile(
            inner(tile.rows, height, size.height, map), inner(tile.columns, width, size.width, map),
        )
    }

    /** Return the number of places of a map that lie in a tile. */
    public fun places(tile: Tile, map: MapShape): Long {
        val inner = inner(tile, map)
        return inner.rows.length.toLong() * inner.columns.length
    }

    /**
     * Return the most bytes that maps take at once, float32.
     *
     * @param reads names of the inputs of each pass.
     * @param gives names of the outputs of each pass.
     * @param kept maps that are kept after their last reader.
     */
    public fun storedBytes(
        reads: List<Set<String>>, gives: List<Set<String>>, kept: Set<String>,
    ): Long {
        val bytes = tiling.maps.associate { map ->
            val size = sizeOf(map.mapShape)
            map.name to Float.SIZE_BYTES.toLong() * map.channels * size.height * size.width
        }
        var most = 0L
        var living = emptySet<String>()
        gives.forEachIndexed { number, given ->
            living = living + given.intersect(bytes.keys)
            most = maxOf(most, living.sumOf(bytes::getValue))
            val later = reads.drop(number + 1).flatten().toSet()
            living = living.filter { it in later || it in kept }.toSet()
        }
        return most
    }

    private fun inner(span: Span, length: Int, inner: Int, map: MapShape): Span {
        val (start, begin, end) = listOf(span.start, span.begin, span.end)
            .map { (it.toLong() * map.scale / map.stride).toInt() }
        return Span(start, begin, if (span.end == length) inner else end)
    }

    public companion object {
        /** Return the tiles of a picture. */
        public fun of(picture: SizeFact, tiling: TilingFact): TileGrid {
            fun side(length: Int, window: Int) =
                maxOf(window, (length + tiling.grid - 1) / tiling.grid * tiling.grid)
            val (height, width) = tiling.window
            return TileGrid(side(picture.height, height), side(picture.width, width), tiling)
        }

        /**
         * Return the tiles along one side; each pixel lies in one of them.
         *
         * @param length length of the side, a multiple of the grid and at least a window.
         * @param window length of a window's side.
         * @param first pixels of a window before its tile, except at the start of the side.
         * @param last pixels of a window after its tile, except at the end of the side.
         * @throws IllegalArgumentException windows are all margin.
         */
        public fun spans(length: Int, window: Int, first: Int, last: Int): List<Span> {
            require(first + last < window || length <= window) {
                "a window of $window pixels has no tile between margins of $first and $last " +
                    "pixels: export again with --full and a larger --size"
            }
            val spans = ArrayList<Span>()
            var begin = 0
            while (begin < length) {
                val start = minOf(maxOf(0, begin - first), length - window)
                val end = if (start + window == length) length else start + window - last
                spans.add(Span(start, begin, end))
                begin = end
            }
            return spans
        }
    }
}
