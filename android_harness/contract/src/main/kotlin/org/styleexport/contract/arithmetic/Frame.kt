package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.SizeFact

/**
 * How a photograph of any size lies in the size that a file takes.
 *
 * It is scaled to fit, its proportions kept, into the middle; the rest is filled by mirroring its
 * edges, and cut off again from what was painted.
 *
 * @property outer the size that the file takes.
 * @property inner the size of the photograph in it.
 * @property top its first row.
 * @property left its first column.
 */
public data class Frame(
    public val outer: SizeFact,
    public val inner: SizeFact,
    public val top: Int,
    public val left: Int,
) {
    /** Return the frame's image from that of the scaled photograph. */
    public fun fill(photograph: Tensor): Tensor {
        if (inner == outer) return photograph
        val rows = Mirror.indices(inner.height, -top, outer.height)
        val columns = Mirror.indices(inner.width, -left, outer.width)
        return Mirror.cut(photograph, rows, columns)
    }

    /** Return the photograph's part of a painted frame. */
    public fun restore(painted: Tensor): Tensor {
        if (inner == outer) return painted
        val rows = IntArray(inner.height) { top + it }
        val columns = IntArray(inner.width) { left + it }
        return Mirror.cut(painted, rows, columns)
    }

    public companion object {
        /** Return how a photograph lies in a file's size. */
        public fun of(photograph: SizeFact, outer: SizeFact): Frame {
            val scale = minOf(
                outer.height.toDouble() / photograph.height,
                outer.width.toDouble() / photograph.width,
            )
            val inner = SizeFact(
                minOf(outer.height, maxOf(1, rounded(photograph.height * scale))),
                minOf(outer.width, maxOf(1, rounded(photograph.width * scale))),
            )
            val top = (outer.height - inner.height) / 2
            return Frame(outer, inner, top, (outer.width - inner.width) / 2)
        }

        /**
         * Return how a photograph lies in a file of any size.
         *
         * @param maxSide the longer side, at most.
         * @param minSide the shorter side, at least.
         */
        public fun open(photograph: SizeFact, maxSide: Int, minSide: Int): Frame {
            val (height, width) = photograph
            val shrunk = minOf(1.0, maxSide.toDouble() / maxOf(height, width))
            val scale = maxOf(shrunk, minSide.toDouble() / minOf(height, width))
            val size = SizeFact(
                minOf(maxOf(minSide, rounded(height * scale)), 4 * maxSide),
                minOf(maxOf(minSide, rounded(width * scale)), 4 * maxSide),
            )
            return Frame(size, size, 0, 0)
        }

        /** Half to even, as the desktop rounds. */
        private fun rounded(value: Double) = Math.rint(value).toInt()
    }
}
