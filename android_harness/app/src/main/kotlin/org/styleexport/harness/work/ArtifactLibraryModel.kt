package org.styleexport.harness.work

import android.content.ContentResolver
import android.content.Context
import android.content.res.AssetManager
import android.net.Uri
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.ArtifactSource
import org.styleexport.contract.artifact.ArtifactStore
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.artifact.ZipSource
import org.styleexport.contract.measure.ErrorText
import org.styleexport.harness.R

/** Artifacts on this phone: bundled with the app, or imported. */
class ArtifactLibraryModel(
    private val context: Context, private val store: ArtifactStore, private val worker: Worker,
) {
    /**
     * State of the main screen.
     *
     * @property artifacts artifacts, sorted by name.
     * @property note progress or error message.
     * @property isBusy whether an artifact is being copied.
     */
    data class State(
        val artifacts: List<Artifact> = emptyList(),
        val note: String? = null,
        val isBusy: Boolean = false,
    )

    val state: Observable<State> = Observable(State())
    private var isInstalled = false

    /** Install the bundled artifacts, once per installation of the app, and list all. */
    fun installBundled() {
        if (isInstalled) return
        isInstalled = true
        update(context.getString(R.string.library_preparing)) { copyBundled() }
    }

    /** Return an artifact by its folder name; null if it is not listed. */
    fun find(name: String?): Artifact? = state.value.artifacts.find { it.folder.name == name }

    /** Import an artifact from a zip archive that the user picked. */
    fun importZip(uri: Uri): Unit = update(context.getString(R.string.library_importing)) {
        val copy = File.createTempFile("import", ".zip", context.cacheDir)
        try {
            val stream = context.contentResolver.openInputStream(uri)
                ?: throw BadArtifact("the archive cannot be opened")
            stream.use { from -> copy.outputStream().use(from::copyTo) }
            ZipSource(copy).use { store.add(it, ::showProgress) }
        } finally {
            copy.delete()
        }
    }

    /** Import an artifact from a folder that the user picked. */
    fun importFolder(uri: Uri): Unit = update(context.getString(R.string.library_importing)) {
        store.add(TreeSource(context.contentResolver, uri), ::showProgress)
    }

    private fun copyBundled() {
        val stamp = File(context.filesDir, "bundled")
        val installed = context.packageManager.getPackageInfo(context.packageName, 0)
        val version = installed.lastUpdateTime.toString()
        if (stamp.exists() && stamp.readText() == version) return
        for (name in context.assets.list(BUNDLED).orEmpty()) {
            store.add(AssetSource(context.assets, "$BUNDLED/$name"), ::showProgress)
        }
        stamp.writeText(version)
    }

    private fun update(note: String, task: () -> Unit) {
        state.value = state.value.copy(note = note, isBusy = true)
        worker.run({
            val failure = runCatching(task).exceptionOrNull()
            Pair(store.artifacts(), failure)
        }) { result ->
            val (artifacts, failure) = result.getOrElse { Pair(state.value.artifacts, it) }
            state.value = State(artifacts, failure?.let(ErrorText::reason))
        }
    }

    private fun showProgress(path: String): Unit = worker.postToMain {
        state.value = state.value.copy(note = path)
    }

    private companion object {
        /** Folder in the app's assets that `styleexport harness sync` writes to. */
        const val BUNDLED = "artifacts"
    }
}

/** Artifact bundled with the app. */
class AssetSource(private val assets: AssetManager, private val folder: String) : ArtifactSource {
    override fun open(path: String): InputStream? = try {
        assets.open("$folder/$path")
    } catch (_: FileNotFoundException) {
        null
    }
}

/** Artifact in a folder that the user picked. */
class TreeSource(private val resolver: ContentResolver, private val tree: Uri) : ArtifactSource {
    private val children = HashMap<String, Map<String, String>>()

    override fun open(path: String): InputStream? {
        var document = DocumentsContract.getTreeDocumentId(tree)
        for (name in path.split('/')) {
            document = childrenOf(document)[name] ?: return null
        }
        return resolver.openInputStream(DocumentsContract.buildDocumentUriUsingTree(tree, document))
    }

    /** Return the document IDs of a folder's children by name. */
    private fun childrenOf(document: String): Map<String, String> = children.getOrPut(document) {
        val uri = DocumentsContract.buildChildDocumentsUriUsingTree(tree, document)
        val columns = arrayOf(Document.COLUMN_DISPLAY_NAME, Document.COLUMN_DOCUMENT_ID)
        val documents = HashMap<String, String>()
        resolver.query(uri, columns, null, null, null)?.use { cursor ->
            while (cursor.moveToNext()) documents[cursor.getString(0)] = cursor.getString(1)
        }
        documents
    }
}
