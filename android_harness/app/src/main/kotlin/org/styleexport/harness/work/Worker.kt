package org.styleexport.harness.work

import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

/**
 * Background thread for all slow work. Sessions live on it: GPU delegates are bound to the thread
 * that created them.
 */
class Worker(name: String) {
    private val executor = Executors.newSingleThreadExecutor { Thread(it, name) }
    private val main = Handler(Looper.getMainLooper())

    /** Run a task on the worker, and `onResult` on the main thread. */
    fun <T> run(task: () -> T, onResult: (Result<T>) -> Unit = {}) {
        executor.execute {
            val result = runCatching(task)
            main.post { onResult(result) }
        }
    }

    /** Run an action on the main thread. */
    fun postToMain(action: () -> Unit) {
        main.post(action)
    }
}

/**
 * Value that one screen observes, kept while screens come and go. Main thread only.
 *
 * @param initial first value.
 */
class Observable<T>(initial: T) {
    private var observer: ((T) -> Unit)? = null

    /** Current value; setting it notifies the observer. */
    var value: T = initial
        set(new) {
            field = new
            observer?.invoke(new)
        }

    /** Call an observer now and after each change, until [removeObserver]. */
    fun observe(onChange: (T) -> Unit) {
        observer = onChange
        onChange(value)
    }

    /** Stop notifying. */
    fun removeObserver() {
        observer = null
    }
}
