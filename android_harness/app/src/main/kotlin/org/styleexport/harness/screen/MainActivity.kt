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
import org.styleexport.harness.work.HostRun
import org.styleexport.harness.work.Library

/** Lists the artifacts, and imports others. */
class MainActivity : Activity() {
    private val library: Library get() = (application as HarnessApp).library

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        val app = application as HarnessApp
        app.worker.run({ HostRun.prepare(app) })
        findViewById<Button>(R.id.import_zip).setOnClickListener {
            val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
            pick(intent.setType("application/zip"), PICK_ZIP)
        }
        findViewById<Button>(R.id.import_folder).setOnClickListener {
            pick(Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), PICK_FOLDER)
        }
        library.begin()
    }

    override fun onStart() {
        super.onStart()
        library.state.watch(::show)
    }

    override fun onStop() {
        library.state.leave()
        super.onStop()
    }

    @Deprecated("Activity has no other way without a library")
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

    private fun show(state: Library.State) {
        findViewById<ProgressBar>(R.id.busy).visibility =
            if (state.isBusy) View.VISIBLE else View.INVISIBLE
        findViewById<TextView>(R.id.note).text = state.note.orEmpty()
        listOf(R.id.import_zip, R.id.import_folder).forEach {
            findViewById<Button>(it).isEnabled = !state.isBusy
        }
        val list = findViewById<ListView>(R.id.artifacts)
        list.emptyView = findViewById(R.id.no_artifacts)
        val words = state.artifacts.map(::words)
        list.adapter = ArrayAdapter(this, android.R.layout.simple_list_item_1, words)
        list.setOnItemClickListener { _, _, position, _ -> open(state.artifacts[position]) }
    }

    private fun words(artifact: Artifact): String {
        val (network, files) = artifact.manifest.let { it.network to it.files }
        val precisions = files.map { it.precision.text }.distinct().joinToString(", ")
        return getString(R.string.artifact_line, network.name, precisions, network.summary)
    }

    private fun open(artifact: Artifact) {
        val intent = Intent(this, PaintActivity::class.java)
        startActivity(intent.putExtra(Screens.ARTIFACT, artifact.folder.name))
    }

    private companion object {
        const val PICK_ZIP = 1
        const val PICK_FOLDER = 2
    }
}
