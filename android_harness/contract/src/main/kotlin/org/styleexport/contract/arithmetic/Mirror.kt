package org.styleexport.contract.arithmetic

/** Pictures beyond their edges: mirrored, the edge's own pixels first, as often as it takes. */
public object Mirror {
    /**
     * Return which pixels a stretch shows.
     *
     * @param length of the picture's side.
     * @param begin of the stretch; before the picture it is negative.
     * @param count how many.
     */
    public fun indices(length: Int, begin: Int, count: Int): IntArray = IntArray(count) {
        val folded = Math.floorMod(begin + it, 2 * length)
        minOf(folded, 2 * length - 1 - folded)
    }

    /** Return the image of some rows and columns of another. */
    public fun cut(image: Tensor, rows: IntArray, columns: IntArray): Tensor {
        val (height, width) = image.shape.drop(2)
        val cut = Tensor.image(rows.size, columns.size)
        var index = 0
        for (channel in 0 until Tensor.CHANNELS) {
            for (row in rows) {
                val begin = (channel * height + row) * width
                for (column in columns) cut.data[index++] = image.data[begin + column]
            }
        }
        return cut
    }
}
