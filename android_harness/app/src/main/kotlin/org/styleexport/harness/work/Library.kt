package org.styleexport.harness.work

import android.content.Context
import android.net.Uri
import java.io.File
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.ArtifactShelf
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.artifact.ZipSource
import org.styleexport.contract.measure.Words
import org.styleexport.harness.R

/** The artifacts on this phone: those bundled with the app, and those that were imported. */
class Library(
    private val context: Context, private val shelf: ArtifactShelf, private val worker: Worker,
) {
    /**
     * What there is.
     *
     * @property artifacts in order.
     * @property note what is being done, or went wrong; null is nothing.
     * @property isBusy whether something is being copied.
     */
    data class State(
        val artifacts: List<Artifact> = emptyList(),
        val note: String? = null,
        val isBusy: Boolean = false,
    )

    /** What the screen shows. */
    val state: Shown<State> = Shown(State())
    private var isBegun = false

    /** Copy what is bundled, once after each installation, and look at what is there. */
    fun begin() {
        if (isBegun) return
        isBegun = true
        change(context.getString(R.string.library_preparing)) { addBundled() }
    }

    /** Return an artifact by the name of its folder, once `begin` has found it. */
    fun find(name: String?): Artifact? = state.value.artifacts.find { it.folder.name == name }

    /** Add an artifact from a zip archive that the system's picker gave. */
    fun importZip(uri: Uri): Unit = change(context.getString(R.string.library_importing)) {
        val copy = File.createTempFile("import", ".zip", context.cacheDir)
        try {
            val stream = context.contentResolver.openInputStream(uri)
                ?: throw BadArtifact("the archive cannot be opened")
            stream.use { from -> copy.outputStream().use(from::copyTo) }
            ZipSource(copy).use { shelf.add(it, ::say) }
        } finally {
            copy.delete()
        }
    }

    /** Add an artifact from a folder that the system's picker gave. */
    fun importFolder(uri: Uri): Unit = change(context.getString(R.string.library_importing)) {
        shelf.add(TreeSource(context.contentResolver, uri), ::say)
    }

    private fun addBundled() {
        val stamp = File(context.filesDir, "bundled")
        val installed = context.packageManager.getPackageInfo(context.packageName, 0)
        val version = installed.lastUpdateTime.toString()
        if (stamp.exists() && stamp.readText() == version) return
        for (name in context.assets.list(BUNDLED).orEmpty()) {
            shelf.add(AssetSource(context.assets, "$BUNDLED/$name"), ::say)
        }
        stamp.writeText(version)
    }

    private fun change(note: String, task: () -> Unit) {
        state.value = state.value.copy(note = note, isBusy = true)
        worker.run({
            val failure = runCatching(task).exceptionOrNull()
            Pair(shelf.artifacts(), failure)
        }) { result ->
            val (artifacts, failure) = result.getOrElse { Pair(state.value.artifacts, it) }
            state.value = State(artifacts, failure?.let(Words::reason))
        }
    }

    private fun say(path: String): Unit = worker.show {
        state.value = state.value.copy(note = path)
    }

    private companion object {
        /** Where `styleexport harness sync` puts artifacts, below the app's assets. */
        const val BUNDLED = "artifacts"
    }
}
