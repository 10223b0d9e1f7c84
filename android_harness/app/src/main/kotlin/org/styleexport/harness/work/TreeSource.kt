package org.styleexport.harness.work

import android.content.ContentResolver
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import java.io.InputStream
import org.styleexport.contract.artifact.ArtifactSource

/** An artifact in a folder that the user chose with the system's picker. */
class TreeSource(private val resolver: ContentResolver, private val tree: Uri) : ArtifactSource {
    private val children = HashMap<String, Map<String, String>>()

    override fun open(path: String): InputStream? {
        var document = DocumentsContract.getTreeDocumentId(tree)
        for (name in path.split('/')) {
            document = childrenOf(document)[name] ?: return null
        }
        return resolver.openInputStream(DocumentsContract.buildDocumentUriUsingTree(tree, document))
    }

    /** Return name → document of a folder. */
    private fun childrenOf(document: String): Map<String, String> = children.getOrPut(document) {
        val uri = DocumentsContract.buildChildDocumentsUriUsingTree(tree, document)
        val columns = arrayOf(Document.COLUMN_DISPLAY_NAME, Document.COLUMN_DOCUMENT_ID)
        val found = HashMap<String, String>()
        resolver.query(uri, columns, null, null, null)?.use { cursor ->
            while (cursor.moveToNext()) found[cursor.getString(0)] = cursor.getString(1)
        }
        found
    }
}
