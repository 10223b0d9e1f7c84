package org.styleexport.harness.screen

import android.app.Activity
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.ListView
import android.widget.ProgressBar
import android.widget.Spinner
import android.widget.TextView
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.Status
import org.styleexport.harness.HarnessApp
import org.styleexport.harness.R
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.SharedPictures
import org.styleexport.harness.work.Measuring

/** Measures the files of one artifact, draws every sample, and shares the report. */
class BenchmarkActivity : Activity() {
    private val measuring: Measuring get() = (application as HarnessApp).measuring
    private lateinit var artifact: Artifact

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_benchmark)
        val name = intent.getStringExtra(Screens.ARTIFACT)
        artifact = (application as HarnessApp).library.find(name) ?: return finish()
        title = getString(R.string.benchmark_title, artifact.manifest.network.name)
        offerFiles()
        Screens.offer(this, findViewById(R.id.delegate), Delegates.entries.map(Delegates::text))
        findViewById<Button>(R.id.start).setOnClickListener { startOrCancel() }
        findViewById<Button>(R.id.share).setOnClickListener { share() }
    }

    override fun onStart() {
        super.onStart()
        measuring.state.watch(::show)
    }

    override fun onStop() {
        measuring.state.leave()
        // What is measured behind another app is not worth having.
        if (!isChangingConfigurations) measuring.cancel()
        super.onStop()
    }

    private fun offerFiles() {
        val list = findViewById<ListView>(R.id.files)
        val paths = artifact.files(Engines.SUFFIXES).map { it.path }
        list.adapter = ArrayAdapter(this, android.R.layout.simple_list_item_multiple_choice, paths)
        list.choiceMode = ListView.CHOICE_MODE_MULTIPLE
        paths.indices.forEach { list.setItemChecked(it, true) }
    }

    private fun startOrCancel() {
        if (measuring.state.value.progress != null) return measuring.cancel()
        val list = findViewById<ListView>(R.id.files)
        val files = artifact.files(Engines.SUFFIXES)
            .filterIndexed { index, _ -> list.isItemChecked(index) }
        if (files.isEmpty()) {
            findViewById<TextView>(R.id.progress).setText(R.string.choose_files)
            return
        }
        val delegate = Delegates.entries[findViewById<Spinner>(R.id.delegate).selectedItemPosition]
        measuring.start(artifact, files, delegate, PlanFact())
    }

    private fun share() {
        val file = measuring.state.value.file ?: return
        startActivity(SharedPictures.chooser(this, file, SharedPictures.JSON))
    }

    private fun show(state: Measuring.State) {
        val isRunning = state.progress != null
        val keepOn = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (isRunning) window.addFlags(keepOn) else window.clearFlags(keepOn)
        findViewById<ProgressBar>(R.id.busy).visibility =
            if (isRunning) View.VISIBLE else View.INVISIBLE
        findViewById<Button>(R.id.start).setText(if (isRunning) R.string.cancel else R.string.start)
        findViewById<TextView>(R.id.progress).text = state.progress ?: state.note.orEmpty()
        findViewById<Button>(R.id.share).isEnabled = state.file != null && !isRunning
        findViewById<LatencyChart>(R.id.chart).cells = state.report?.cells.orEmpty()
        findViewById<TextView>(R.id.results).text =
            state.report?.cells.orEmpty().joinToString("\n\n", transform = ::words)
    }

    private fun words(cell: CellFact): String {
        val ran = listOfNotNull(
            cell.effective["engine"], cell.effective["delegate"], cell.effective["coverage"],
        ).joinToString(" ")
        val told = if (cell.status == Status.MEASURED) {
            val first = (cell.firstNs ?: 0) / NANOSECONDS_PER_MS
            val samples = cell.roundsNs.sumOf { it.size }
            getString(R.string.cell_measured, samples, first, cell.parity?.measuredDb ?: 0.0)
        } else {
            "${cell.status.text}: ${cell.message}"
        }
        return "${cell.subject.path} · ${cell.size}\n$ran\n$told"
    }

    private companion object {
        const val NANOSECONDS_PER_MS = 1e6
    }
}
