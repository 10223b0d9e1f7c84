package org.styleexport.harness.picture

import android.graphics.Bitmap
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Pixels
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.stylize.TilePicture
import org.styleexport.contract.stylize.TileWriter

/** Bitmap that is read window by window: only a window of it becomes floats. */
class BitmapPicture(private val bitmap: Bitmap) : TilePicture {
    override val size: SizeFact get() = SizeFact(bitmap.height, bitmap.width)

    override fun window(rows: IntArray, columns: IntArray): Tensor {
        val (top, left) = rows.min() to columns.min()
        val (height, width) = rows.max() + 1 - top to columns.max() + 1 - left
        val pixels = IntArray(height * width)
        bitmap.getPixels(pixels, 0, width, left, top, width, height)
        val part = Pixels.tensor(pixels, height, width)
        return Mirror.gather(
            part, IntArray(rows.size) { rows[it] - top },
            IntArray(columns.size) { columns[it] - left },
        )
    }
}

/** Writes parts of a painting into a bitmap. */
class BitmapWriter(private val bitmap: Bitmap) : TileWriter {
    override fun write(top: Int, left: Int, pixels: Tensor) {
        val (height, width) = pixels.shape.drop(2)
        bitmap.setPixels(Pixels.pixels(pixels), 0, width, left, top, width, height)
    }
}
