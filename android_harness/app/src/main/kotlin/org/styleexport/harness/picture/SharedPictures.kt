package org.styleexport.harness.picture

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.content.Intent
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Lends the files of one folder of the cache, read only, to the app that the user shares with. */
class SharedPictures : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw SecurityException("files are shared for reading alone")
        return ParcelFileDescriptor.open(fileOf(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun getType(uri: Uri): String =
        if (uri.lastPathSegment.orEmpty().endsWith(".json")) JSON else PNG

    override fun query(
        uri: Uri, projection: Array<String>?, selection: String?, arguments: Array<String>?,
        order: String?,
    ): Cursor {
        val file = fileOf(uri)
        val known = mapOf<String, Any>(
            OpenableColumns.DISPLAY_NAME to file.name, OpenableColumns.SIZE to file.length(),
        )
        val columns = (projection ?: known.keys.toTypedArray()).filter { it in known }
        val cursor = MatrixCursor(columns.toTypedArray(), 1)
        cursor.addRow(columns.map { known.getValue(it) })
        return cursor
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, arguments: Array<String>?): Int = 0

    override fun update(
        uri: Uri, values: ContentValues?, selection: String?, arguments: Array<String>?,
    ): Int = 0

    private fun fileOf(uri: Uri): File {
        val file = File(folder(requireNotNull(context)), uri.lastPathSegment.orEmpty())
        val isOurs = uri.pathSegments.size == 1 && uri.lastPathSegment.orEmpty().matches(NAME)
        if (!isOurs || !file.isFile) throw FileNotFoundException("nothing is shared at $uri")
        return file
    }

    companion object {
        /** Of reports. */
        const val JSON = "application/json"

        /** Of paintings. */
        const val PNG = "image/png"
        private val NAME = Regex("[A-Za-z0-9_-]+\\.(png|json)")

        /** Return the folder whose files are lent. */
        fun folder(context: Context): File = File(context.cacheDir, "shared").apply { mkdirs() }

        /** Return what asks the user whom to share a file with. */
        fun chooser(context: Context, file: File, type: String): Intent {
            val uri = Uri.Builder().scheme("content")
                .authority("${context.packageName}.shared").path(file.name).build()
            val send = Intent(Intent.ACTION_SEND).setType(type)
                .putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
            send.clipData = android.content.ClipData.newRawUri(file.name, uri)
            return Intent.createChooser(send, null)
        }
    }
}
