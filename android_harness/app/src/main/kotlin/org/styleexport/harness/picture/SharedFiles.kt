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

/** Content provider of one cache folder, read-only, for the app that the user shares with. */
class SharedFiles : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw SecurityException("files are shared read-only")
        return ParcelFileDescriptor.open(fileOf(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun getType(uri: Uri): String =
        if (uri.lastPathSegment.orEmpty().endsWith(".json")) JSON else PNG

    override fun query(
        uri: Uri, projection: Array<String>?, selection: String?, arguments: Array<String>?,
        order: String?,
    ): Cursor {
        val file = fileOf(uri)
        val values = mapOf<String, Any>(
            OpenableColumns.DISPLAY_NAME to file.name, OpenableColumns.SIZE to file.length(),
        )
        val columns = (projection ?: values.keys.toTypedArray()).filter { it in values }
        val cursor = MatrixCursor(columns.toTypedArray(), 1)
        cursor.addRow(columns.map { values.getValue(it) })
        return cursor
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, arguments: Array<String>?): Int = 0

    override fun update(
        uri: Uri, values: ContentValues?, selection: String?, arguments: Array<String>?,
    ): Int = 0

    private fun fileOf(uri: Uri): File {
        val file = File(folder(requireNotNull(context)), uri.lastPathSegment.orEmpty())
        val isValid = uri.pathSegments.size == 1 && uri.lastPathSegment.orEmpty().matches(NAME)
        if (!isValid || !file.isFile) throw FileNotFoundException("nothing is shared at $uri")
        return file
    }

    companion object {
        /** MIME type of reports. */
        const val JSON = "application/json"

        /** MIME type of stylized pictures. */
        const val PNG = "image/png"
        private val NAME = Regex("[A-Za-z0-9_-]+\\.(png|json)")

        /** Return the shared folder. */
        fun folder(context: Context): File = File(context.cacheDir, "shared").apply { mkdirs() }

        /** Return the system's share sheet for a file. */
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
