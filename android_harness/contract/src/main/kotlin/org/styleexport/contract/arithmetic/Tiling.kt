package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.SizeFact

/**
 * How a large picture is cut into tiles that overlap, and how what is painted of them is joined.
 *
 * A network that takes statistics over the whole picture (instance normalization, AdaIN) takes
 * those of each tile here: neighbouring tiles differ in contrast and colour, and the ramp between
 * them hides that only in part. The app tiles when the user asks, and says so.
 *
 * @property picture its size.
 * @property tile the file's size.
 * @property overlap of two neighbours, in pixels, at least.
 */
public class Tiling(
    private val picture: SizeFact, private val tile: SizeFact, private val overlap: Int,
) {
    /** The tiles, row by row. */
    public val tiles: List<Tile>
        get() = starts(picture.height, tile.height, overlap).flatMap { top ->
            starts(picture.width, tile.width, overlap).map { left -> Tile(top, left, tile) }
        }

    /**
     * Return a picture painted tile by tile and joined.
     *
     * @param run paints the image of one tile.
     */
    public fun paint(image: Tensor, run: (Tensor) -> Tensor): Tensor {
        val down = weights(picture.height, tile.height, overlap)
        val across = weights(picture.width, tile.width, overlap)
        val joined = Tensor.image(picture.height, picture.width)
        tiles.forEachIndexed { number, place ->
            val rows = Mirror.indices(picture.height, place.top, tile.height)
            val columns = Mirror.indices(picture.width, place.left, tile.width)
            val painted = run(Mirror.cut(image, rows, columns))
            add(joined, painted, place, down[number / across.size], across[number % across.size])
        }
        return joined
    }

    private fun add(
        joined: Tensor, painted: Tensor, place: Tile, down: FloatArray, across: FloatArray,
    ) {
        for (channel in 0 until Tensor.CHANNELS) {
            for (row in seen(place.top, picture.height, tile.height)) {
                val from = (channel * tile.height + row - place.top) * tile.width
                val into = (channel * picture.height + row) * picture.width
                for (column in seen(place.left, picture.width, tile.width)) {
                    val weight = down[row - place.top] * across[column - place.left]
                    joined.data[into + column] += painted.data[from + column - place.left] * weight
                }
            }
        }
    }

    public companion object {
        /**
         * Return where tiles begin along one side: evenly, the last drawn back to the edge; a side
         * that is shorter than a tile lies in the middle of one, which begins before it.
         *
         * @throws IllegalArgumentException the overlap is negative, or not smaller than a tile.
         */
        public fun starts(length: Int, tile: Int, overlap: Int): List<Int> {
            require(overlap in 0 until tile) { "overlap $overlap of tiles of $tile pixels" }
            if (length <= tile) return listOf(-((tile - length) / 2))
            return (0 until length - tile step tile - overlap).toList() + (length - tile)
        }

        /**
         * Return how much each pixel of each tile counts along one side; 1 in all at every pixel.
         *
         * Each tile rises over the overlap at an edge that it shares, in equal steps, and what lies
         * on a pixel is divided by its sum; a tile's pixels outside the picture count 0.
         */
        public fun weights(length: Int, tile: Int, overlap: Int): List<FloatArray> {
            val begins = starts(length, tile, overlap)
            val ramps = begins.map { ramp(it, length, tile, overlap) }
            val total = DoubleArray(length)
            begins.zip(ramps) { begin, ramp ->
                for (place in seen(begin, length, tile)) total[place] += ramp[place - begin]
            }
            return begins.zip(ramps) { begin, ramp ->
                FloatArray(tile) { index ->
                    val place = begin + index
                    if (place in 0 until length) (ramp[index] / total[place]).toFloat() else 0f
                }
            }
        }

        private fun ramp(begin: Int, length: Int, tile: Int, overlap: Int) = DoubleArray(tile) {
            val rising = if (begin > 0) (it + 1.0) / (overlap + 1) else 1.0
            val falling = if (begin + tile < length) (tile - it).toDouble() / (overlap + 1) else 1.0
            minOf(1.0, rising, falling)
        }

        private fun seen(begin: Int, length: Int, tile: Int) =
            maxOf(0, begin) until minOf(length, begin + tile)
    }
}
