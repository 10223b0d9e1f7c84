package org.styleexport.harness.picture

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import java.io.IOException
import java.io.InputStream

/** Decoder of photos from the system's picker: upright, and subsampled. */
class PhotoDecoder(private val resolver: ContentResolver) {
    /**
     * Return a photo as an upright bitmap.
     *
     * @param maxSide longer side in pixels from which it is subsampled; the result is below twice
     *   that.
     * @throws IOException the photo cannot be opened or decoded.
     */
    fun open(uri: Uri, maxSide: Int): Bitmap {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        stream(uri).use { BitmapFactory.decodeStream(it, null, bounds) }
        var sample = 1
        while (maxOf(bounds.outWidth, bounds.outHeight) / (2 * sample) >= maxSide) sample *= 2
        val options = BitmapFactory.Options().apply { inSampleSize = sample }
        val bitmap = stream(uri).use { BitmapFactory.decodeStream(it, null, options) }
            ?: throw IOException("not an image format that Android can read")
        return upright(bitmap, stream(uri).use { ExifInterface(it).orientation() })
    }

    private fun stream(uri: Uri): InputStream =
        resolver.openInputStream(uri) ?: throw IOException("the image cannot be opened")

    private fun ExifInterface.orientation() =
        getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)

    private fun upright(bitmap: Bitmap, orientation: Int): Bitmap {
        val (degrees, isMirrored) = when (orientation) {
            ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> 0f to true
            ExifInterface.ORIENTATION_ROTATE_180 -> 180f to false
            ExifInterface.ORIENTATION_FLIP_VERTICAL -> 180f to true
            ExifInterface.ORIENTATION_TRANSPOSE -> 90f to true
            ExifInterface.ORIENTATION_ROTATE_90 -> 90f to false
            ExifInterface.ORIENTATION_TRANSVERSE -> 270f to true
            ExifInterface.ORIENTATION_ROTATE_270 -> 270f to false
            else -> return bitmap
        }
        val matrix = Matrix()
        matrix.postRotate(degrees)
        if (isMirrored) matrix.postScale(-1f, 1f)
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, matrix, true)
    }
}
