package org.styleexport.harness.screen

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.ListView
import android.widget.ProgressBar
import android.widget.TextView
import org.styleexport.contract.artifact.Artifact
import org.styleexport.harness.HarnessApp
import org.styleexport.harness.R
import org.styleexport.harness.work.ArtifactLibraryModel
import org.styleexport.harness.work.HostJob

/** List of artifacts, and import of others. */
class MainActivity : Activity() {
    private val library: ArtifactLibraryModel get() = (application as HarnessApp).library

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        val app = application as HarnessApp
        app.worker.run({ HostJob.createFolder(app) })
        findViewById<Button>(R.id.import_zip).setOnClickListener {
            val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
            pick(intent.setType("application/zip"), PICK_ZIP)
        }
        findViewById<Button>(R.id.import_folder).setOnClickListener {
            pick(Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), PICK_FOLDER)
        }
        library.installBundled()
    }

    override fun onStart() {
        super.onStart()
        library.state.observe(::show)
    }

    override fun onStop() {
        library.state.removeObserver()
        super.onStop()
    }

    @Deprecated("The replacement needs androidx, which this app does without")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data ?: return
        if (resultCode != RESULT_OK) return
        if (requestCode == PICK_ZIP) library.importZip(uri) else library.importFolder(uri)
    }

    private fun pick(intent: Intent, code: Int) {
        try {
            @Suppress("DEPRECATION")
            startActivityForResult(intent, code)
        } catch (_: ActivityNotFoundException) {
            findViewById<TextView>(R.id.note).setText(R.string.no_picker)
        }
    }

    private fun show(state: ArtifactLibraryModel.State) {
        findViewById<ProgressBar>(R.id.busy).visibility =
            if (state.isBusy) View.VISIBLE else View.INVISIBLE
        findViewById<TextView>(R.id.note).text = state.note.orEmpty()
        listOf(R.id.import_zip, R.id.import_folder).forEach {
            findViewById<Button>(it).isEnabled = !state.isBusy
        }
        val list = findViewById<ListView>(R.id.artifacts)
        list.emptyView = findViewById(R.id.no_artifacts)
        val labels = state.artifacts.map(::label)
        list.adapter = ArrayAdapter(this, android.R.layout.simple_list_item_1, labels)
        list.setOnItemClickListener { _, _, position, _ -> open(state.artifacts[position]) }
    }

    private fun label(artifact: Artifact): String {
        val (network, files) = artifact.manifest.let { it.network to it.files }
        val precisions = files.map { it.precision.serialName }.distinct().joinToString(", ")
        return getString(R.string.artifact_line, network.name, precisions, network.summary)
    }

    private fun open(artifact: Artifact) {
        val intent = Intent(this, StylizeActivity::class.java)
        startActivity(intent.putExtra(Widgets.ARTIFACT, artifact.folder.name))
    }

    private companion object {
        const val PICK_ZIP = 1
        const val PICK_FOLDER = 2
    }
}
