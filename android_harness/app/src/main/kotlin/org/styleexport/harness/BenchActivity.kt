package org.styleexport.harness

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.WindowManager
import android.widget.TextView
import org.styleexport.harness.work.HostRun

/**
 * Runs a job that a host left, and ends.
 *
 * `am start -W -n org.styleexport.harness/.BenchActivity --es job jobs/<nonce>.json --es artifact
 * artifacts/<name>`; the paths lie below the app's external files folder. It is open to every app,
 * and does for any of them only this: measure what lies in that folder.
 */
class BenchActivity : Activity() {
    private var run: HostRun? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_bench)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        // After the process was killed nobody waits for an answer any more.
        if (savedInstanceState == null) start(intent) else finish()
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        start(intent)
    }

    override fun onStop() {
        super.onStop()
        run?.leave()
    }

    private fun start(intent: Intent) {
        val worker = (application as HarnessApp).worker
        val text = findViewById<TextView>(R.id.progress)
        val new = HostRun(
            applicationContext, intent.getStringExtra(JOB), intent.getStringExtra(ARTIFACT),
        ) { line -> worker.show { text.text = line } }
        // A host that asks again has given up on the job before.
        run?.leave()
        run = new
        worker.run(new::run) { if (run === new) finish() }
    }

    private companion object {
        const val JOB = "job"
        const val ARTIFACT = "artifact"
    }
}
