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
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.harness.HarnessApp
import org.styleexport.harness.R
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.picture.SharedFiles
import org.styleexport.harness.work.BenchmarkModel

/** Benchmark of the files of one artifact: chart of all samples, and sharing of the report. */
class BenchmarkActivity : Activity() {
    private val benchmark: BenchmarkModel get() = (application as HarnessApp).benchmark
    private lateinit var artifact: Artifact

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_benchmark)
        val name = intent.getStringExtra(Widgets.ARTIFACT)
        artifact = (application as HarnessApp).library.find(name) ?: return finish()
        title = getString(R.string.benchmark_title, artifact.manifest.network.name)
        listFiles()
        Widgets.setItems(this, findViewById(R.id.delegate), DelegateKind.NAMES)
        findViewById<Button>(R.id.start).setOnClickListener { startOrCancel() }
        findViewById<Button>(R.id.share).setOnClickListener { share() }
    }

    override fun onStart() {
        super.onStart()
        benchmark.state.observe(::show)
    }

    override fun onStop() {
        benchmark.state.removeObserver()
        // Measurements in the background are not comparable.
        if (!isChangingConfigurations) benchmark.cancel()
        super.onStop()
    }

    private fun listFiles() {
        val list = findViewById<ListView>(R.id.files)
        val paths = artifact.files(Engines.SUFFIXES).map { it.path }
        list.adapter = ArrayAdapter(this, android.R.layout.simple_list_item_multiple_choice, paths)
        list.choiceMode = ListView.CHOICE_MODE_MULTIPLE
        paths.indices.forEach { list.setItemChecked(it, true) }
    }

    private fun startOrCancel() {
        if (benchmark.state.value.progress != null) return benchmark.cancel()
        val list = findViewById<ListView>(R.id.files)
        val files = artifact.files(Engines.SUFFIXES)
            .filterIndexed { index, _ -> list.isItemChecked(index) }
        if (files.isEmpty()) {
            findViewById<TextView>(R.id.progress).setText(R.string.choose_files)
            return
        }
        val spinner = findViewById<Spinner>(R.id.delegate)
        val delegate = DelegateKind.entries[spinner.selectedItemPosition]
        benchmark.start(artifact, files, delegate, PlanFact())
    }

    private fun share() {
        val file = benchmark.state.value.file ?: return
        startActivity(SharedFiles.chooser(this, file, SharedFiles.JSON))
    }

    private fun show(state: BenchmarkModel.State) {
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
            state.report?.cells.orEmpty().joinToString("\n\n", transform = ::summary)
    }

    private fun summary(cell: CellFact): String {
        val engine = listOfNotNull(
            cell.effective["engine"], cell.effective["delegate"], cell.effective["coverage"],
        ).joinToString(" ")
        val result = if (cell.status == CellStatus.MEASURED) {
            val first = (cell.firstNs ?: 0) / NANOSECONDS_PER_MS
            val samples = cell.roundsNs.sumOf { it.size }
            getString(R.string.cell_measured, samples, first, cell.parity?.measuredDb ?: 0.0)
        } else {
            "${cell.status.serialName}: ${cell.message}"
        }
        return "${cell.subject.path} · ${cell.size}\n$engine\n$result"
    }

    private companion object {
        const val NANOSECONDS_PER_MS = 1e6
    }
}
