package org.styleexport.contract.arithmetic

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
