package org.styleexport.harness

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.WindowManager
import android.widget.TextView
import org.styleexport.harness.work.HostJob

/**
 * Runs a job that the host pushed, and finishes.
 *
 * `am start -W -n org.styleexport.harness/.BenchActivity --es job jobs/<nonce>.json --es artifact
 * artifacts/<name>`; paths are relative to the app's external files folder. The activity is
 * exported, and only ever measures files in that folder.
 */
class BenchActivity : Activity() {
    private var job: HostJob? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_bench)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        // After the process was killed the host no longer waits for a report.
        if (savedInstanceState == null) start(intent) else finish()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        start(intent)
    }

    override fun onStop() {
        super.onStop()
        job?.cancel()
    }

    private fun start(intent: Intent) {
        val worker = (application as HarnessApp).worker
        val text = findViewById<TextView>(R.id.progress)
        val new = HostJob(
            applicationContext, intent.getStringExtra(JOB), intent.getStringExtra(ARTIFACT),
        ) { line -> worker.postToMain { text.text = line } }
        // A host that starts another job has given up on the previous one.
        job?.cancel()
        job = new
        worker.run(new::run) { if (job === new) finish() }
    }

    private companion object {
        const val JOB = "job"
        const val ARTIFACT = "artifact"
    }
}
