package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.SizeFact

/**
 * Overlapping tiles of a large photo, and the blend of their outputs.
 *
 * Networks with global statistics (instance normalization, AdaIN) compute them per tile, so
 * neighbouring tiles differ in contrast and colour, which the blend hides only in part. The app
 * tiles only on request and says that seams may show.
 *
 * @property photo size of the photo.
 * @property tile input size of the file.
 * @property overlap minimum overlap of neighbouring tiles in pixels.
 */
public class Tiling(
    private val photo: SizeFact, private val tile: SizeFact, private val overlap: Int,
) {
    /** Tiles in row-major order. */
    public val tiles: List<Tile>
        get() = starts(photo.height, tile.height, overlap).flatMap { top ->
            starts(photo.width, tile.width, overlap).map { left -> Tile(top, left, tile) }
        }

    /**
     * Return a photo stylized tile by tile and blended, [1, 3, H, W].
     *
     * @param run stylizes the image of one tile.
     * @throws IllegalArgumentException the file enlarges its input, which tiles do not support.
     */
    public fun stylize(image: Tensor, run: (Tensor) -> Tensor): Tensor {
        val down = weights(photo.height, tile.height, overlap)
        val across = weights(photo.width, tile.width, overlap)
        val blended = Tensor.image(photo.height, photo.width)
        tiles.forEachIndexed { number, place ->
            val rows = Mirror.indices(photo.height, place.top, tile.height)
            val columns = Mirror.indices(photo.width, place.left, tile.width)
            val output = run(Mirror.gather(image, rows, columns))
            require(output.shape.drop(2) == listOf(tile.height, tile.width)) {
                "this file enlarges photos: stylize without tiles"
            }
            add(blended, output, place, down[number / across.size], across[number % across.size])
        }
        return blended
    }

    private fun add(
        blended: Tensor, output: Tensor, place: Tile, down: FloatArray, across: FloatArray,
    ) {
        for (channel in 0 until Tensor.CHANNELS) {
            for (row in visible(place.top, photo.height, tile.height)) {
                val from = (channel * tile.height + row - place.top) * tile.width
                val into = (channel * photo.height + row) * photo.width
                for (column in visible(place.left, photo.width, tile.width)) {
                    val weight = down[row - place.top] * across[column - place.left]
                    blended.data[into + column] += output.data[from + column - place.left] * weight
                }
            }
        }
    }

    public companion object {
        /**
         * Return the first pixel of each tile along one side, the last moved back to the edge.
         *
         * A side shorter than a tile is centred in one tile, which then starts at a negative pixel.
         *
         * @throws IllegalArgumentException the overlap is negative, or not smaller than a tile.
         */
        public fun starts(length: Int, tile: Int, overlap: Int): List<Int> {
            require(overlap in 0 until tile) { "overlap $overlap of tiles of $tile pixels" }
            if (length <= tile) return listOf(-((tile - length) / 2))
            return (0 until length - tile step tile - overlap).toList() + (length - tile)
        }

        /**
         * Return the blend weights of each tile along one side; they sum to 1 at every pixel.
         *
         * A weight ramps up linearly over the overlap at an edge shared with a neighbour, and is
         * normalized by the sum at its pixel; pixels of a tile outside the photo weigh 0.
         */
        public fun weights(length: Int, tile: Int, overlap: Int): List<FloatArray> {
            val begins = starts(length, tile, overlap)
            val ramps = begins.map { ramp(it, length, tile, overlap) }
            val total = DoubleArray(length)
            begins.zip(ramps) { begin, ramp ->
                for (place in visible(begin, length, tile)) total[place] += ramp[place - begin]
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

        private fun visible(begin: Int, length: Int, tile: Int) =
            maxOf(0, begin) until minOf(length, begin + tile)
    }
}

/**
 * Position of a tile in a photo.
 *
 * @property top first row; negative where the photo is shorter than a tile.
 * @property left first column; negative where the photo is narrower than a tile.
 * @property size size of the tile.
 */
public data class Tile(public val top: Int, public val left: Int, public val size: SizeFact)

/** Symmetric padding, which repeats the edge pixels: numpy's `symmetric`. */
public object Mirror {
    /**
     * Return the source pixel of each pixel of a padded range.
     *
     * @param length length of the image's side.
     * @param begin first pixel of the range; negative before the image.
     * @param count length of the range.
     */
    public fun indices(length: Int, begin: Int, count: Int): IntArray = IntArray(count) {
        val folded = Math.floorMod(begin + it, 2 * length)
        minOf(folded, 2 * length - 1 - folded)
    }

    /** Return the image of some rows and columns of another, [1, 3, rows, columns]. */
    public fun gather(image: Tensor, rows: IntArray, columns: IntArray): Tensor {
        val (height, width) = image.shape.drop(2)
        val gathered = Tensor.image(rows.size, columns.size)
        var index = 0
        for (channel in 0 until Tensor.CHANNELS) {
            for (row in rows) {
                val begin = (channel * height + row) * width
                for (column in columns) gathered.data[index++] = image.data[begin + column]
            }
        }
        return gathered
    }
}
