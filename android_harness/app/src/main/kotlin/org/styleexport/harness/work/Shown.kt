package org.styleexport.harness.work

/**
 * A value that a screen shows, kept while screens come and go. Main thread only.
 *
 * @param first the value at the beginning.
 */
class Shown<T>(first: T) {
    private var watcher: ((T) -> Unit)? = null

    /** The value; whoever watches is told of a new one. */
    var value: T = first
        set(new) {
            field = new
            watcher?.invoke(new)
        }

    /** Tell a screen the value, now and whenever it changes, until `leave`. */
    fun watch(screen: (T) -> Unit) {
        watcher = screen
        screen(value)
    }

    /** Tell nobody any more. */
    fun leave() {
        watcher = null
    }
}
