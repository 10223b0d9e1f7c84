package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.fixedSizes
import org.styleexport.contract.facts.pixels

/**
 * Letterbox of a photo in the input size of a file.
 *
 * The photo is scaled to fit, keeping its aspect ratio, and centred; the margins are filled by
 * mirroring its edges and cropped from the output.
 *
 * @property outer input size of the file.
 * @property inner size of the scaled photo.
 * @property top first row of the photo in the frame.
 * @property left first column of the photo in the frame.
 */
public data class Frame(
    public val outer: SizeFact,
    public val inner: SizeFact,
    public val top: Int,
    public val left: Int,
) {
    /** Return the frame, [1, 3, outer], around a scaled photo, [1, 3, inner]. */
    public fun fill(photo: Tensor): Tensor {
        if (inner == outer) return photo
        val rows = Mirror.indices(inner.height, -top, outer.height)
        val columns = Mirror.indices(inner.width, -left, outer.width)
        return Mirror.gather(photo, rows, columns)
    }

    /**
     * Return the photo's part, [1, 3, k·inner], of a stylized frame, [1, 3, k·outer].
     *
     * The scale k is 1, or more for a file that enlarges.
     */
    public fun crop(output: Tensor): Tensor {
        if (inner == outer) return output
        val scale = output.shape[2] / outer.height
        val rows = IntArray(scale * inner.height) { scale * top + it }
        val columns = IntArray(scale * inner.width) { scale * left + it }
        return Mirror.gather(output, rows, columns)
    }

    public companion object {
        /** Return the letterbox of a photo in a fixed input size. */
        public fun of(photo: SizeFact, outer: SizeFact): Frame {
            val scale = minOf(
                outer.height.toDouble() / photo.height,
                outer.width.toDouble() / photo.width,
            )
            val inner = SizeFact(
                minOf(outer.height, maxOf(1, rounded(photo.height * scale))),
                minOf(outer.width, maxOf(1, rounded(photo.width * scale))),
            )
            val top = (outer.height - inner.height) / 2
            return Frame(outer, inner, top, (outer.width - inner.width) / 2)
        }

        /**
         * Return the frame of a photo in a file of any input size; it has no margins.
         *
         * @param maxSide maximum of the longer side in pixels.
         * @param minSide minimum of the shorter side in pixels, which takes precedence.
         */
        public fun open(photo: SizeFact, maxSide: Int, minSide: Int): Frame {
            val (height, width) = photo
            val shrunk = minOf(1.0, maxSide.toDouble() / maxOf(height, width))
            val scale = maxOf(shrunk, minSide.toDouble() / minOf(height, width))
            val size = SizeFact(
                minOf(maxOf(minSide, rounded(height * scale)), 4 * maxSide),
                minOf(maxOf(minSide, rounded(width * scale)), 4 * maxSide),
            )
            return Frame(size, size, 0, 0)
        }

        /** Half to even, as Python's `round`. */
        private fun rounded(value: Double) = Math.rint(value).toInt()
    }
}

/**
 * Exported file and one of its input sizes.
 *
 * @property size input size; null where the file accepts any.
 */
public data class BestSize(public val file: FileFact, public val size: SizeFact?) {
    public companion object {
        /** Return the file and size that keep most of a photo's pixels; ties go to the smaller. */
        public fun of(files: List<FileFact>, photo: SizeFact): BestSize {
            val options = files.flatMap { file ->
                file.fixedSizes.map { BestSize(file, it) }.ifEmpty { listOf(BestSize(file, null)) }
            }
            require(options.isNotEmpty()) { "no file to choose from" }
            // A stable sort: of equals the first, as in Python.
            return options.sortedWith(compareByDescending(keptPixels(photo)).thenBy(::area)).first()
        }

        /** Return the pixels of a photo that are left when it is scaled into a size. */
        private fun keptPixels(photo: SizeFact) = { option: BestSize ->
            val frame = option.size ?: photo
            val scale = minOf(
                1.0,
                frame.height.toDouble() / photo.height,
                frame.width.toDouble() / photo.width,
            )
            scale * scale * photo.height * photo.width
        }

        private fun area(option: BestSize) = option.size?.pixels ?: 0L
    }
}
