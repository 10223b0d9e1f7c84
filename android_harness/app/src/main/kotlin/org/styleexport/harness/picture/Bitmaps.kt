package org.styleexport.harness.picture

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.util.Base64
import java.io.ByteArrayOutputStream
import java.io.File
import org.styleexport.contract.arithmetic.Pixels
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact

/** Conversion of bitmaps to images, [1, 3, H, W], and back. */
object Bitmaps {
    private const val QUALITY = 90
    private const val MAX_THUMBNAIL_SIDE = 1024

    /** Return a bitmap scaled to a size, as an image. */
    fun image(bitmap: Bitmap, size: SizeFact): Tensor {
        val scaled = scaled(bitmap, size)
        val pixels = IntArray(size.height * size.width)
        scaled.getPixels(pixels, 0, size.width, 0, 0, size.width, size.height)
        if (scaled !== bitmap) scaled.recycle()
        return Pixels.tensor(pixels, size.height, size.width)
    }

    /** Return the centre crop of a bitmap with the aspect ratio of a size, scaled to that size. */
    fun centreCrop(bitmap: Bitmap, size: SizeFact): Tensor {
        val scale = minOf(
            bitmap.height.toFloat() / size.height, bitmap.width.toFloat() / size.width,
        )
        val height = (size.height * scale).toInt().coerceIn(1, bitmap.height)
        val width = (size.width * scale).toInt().coerceIn(1, bitmap.width)
        val left = (bitmap.width - width) / 2
        val crop = Bitmap.createBitmap(bitmap, left, (bitmap.height - height) / 2, width, height)
        return image(crop, size)
    }

    /** Return an image as a bitmap. */
    fun bitmap(image: Tensor): Bitmap {
        val (height, width) = image.shape.drop(2)
        return Bitmap.createBitmap(Pixels.pixels(image), width, height, Bitmap.Config.ARGB_8888)
    }

    /** Return a bitmap scaled to a size; it is halved repeatedly first, to avoid aliasing. */
    fun scaled(bitmap: Bitmap, size: SizeFact): Bitmap {
        var current = bitmap
        while (current.width >= 2 * size.width && current.height >= 2 * size.height) {
            val (width, height) = current.width / 2 to current.height / 2
            val half = Bitmap.createScaledBitmap(current, width, height, true)
            if (current !== bitmap) current.recycle()
            current = half
        }
        if (current.width == size.width && current.height == size.height) return current
        val last = Bitmap.createScaledBitmap(current, size.width, size.height, true)
        if (current !== bitmap && current !== last) current.recycle()
        return last
    }

    /** Return a bitmap whose longer side is at most `maxSide`: screens draw none above 100 MB. */
    fun fitted(bitmap: Bitmap, maxSide: Int): Bitmap {
        val longer = maxOf(bitmap.height, bitmap.width)
        if (longer <= maxSide) return bitmap
        val scale = maxSide.toDouble() / longer
        val (height, width) = listOf(bitmap.height, bitmap.width)
            .map { maxOf(1, Math.rint(it * scale).toInt()) }
        return scaled(bitmap, SizeFact(height, width))
    }

    /** Return the thumbnail of a style; null where it is missing, damaged, or far too large. */
    fun styleThumbnail(file: File): Bitmap? {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeFile(file.path, bounds)
        val side = maxOf(bounds.outHeight, bounds.outWidth)
        return if (side in 1..MAX_THUMBNAIL_SIDE) BitmapFactory.decodeFile(file.path) else null
    }

    /** Return an image as a JPEG in base64, at most `maxWidth` pixels wide. */
    fun thumbnail(image: Tensor, maxWidth: Int): String {
        val full = bitmap(image)
        val width = minOf(maxWidth, full.width)
        val height = maxOf(1, full.height * width / full.width)
        val bytes = ByteArrayOutputStream()
        scaled(full, SizeFact(height, width)).compress(Bitmap.CompressFormat.JPEG, QUALITY, bytes)
        return Base64.encodeToString(bytes.toByteArray(), Base64.NO_WRAP)
    }
}

/**
 * Photo or camera frame to stylize.
 *
 * @property size upright size.
 * @property photo the photo; null for a camera frame.
 * @property seconds when a camera frame was taken; null for a photo.
 * @property at returns its image, [1, 3, H, W], scaled to a size.
 */
class PictureSource(
    val size: SizeFact, val photo: Bitmap? = null, val seconds: Double? = null,
    val at: (SizeFact) -> Tensor,
)
