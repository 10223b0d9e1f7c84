package org.styleexport.harness.work

import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

/**
 * One thread for all that takes time. Sessions live on it: GPU delegates are bound to the thread
 * that made them.
 */
class Worker(name: String) {
    private val executor = Executors.newSingleThreadExecutor { Thread(it, name) }
    private val main = Handler(Looper.getMainLooper())

    /** Run a task on the worker; tell the main thread what came of it. */
    fun <T> run(task: () -> T, then: (Result<T>) -> Unit = {}) {
        executor.execute {
            val result = runCatching(task)
            main.post { then(result) }
        }
    }

    /** Run something on the main thread. */
    fun show(action: () -> Unit) {
        main.post(action)
    }
}
