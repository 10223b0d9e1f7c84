package org.styleexport.harness.device

import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale

/** What this app's own process has written into the system's log; no permission is needed. */
object OwnLog {
    /** Return the lines of a tag since a moment; none where the log cannot be read. */
    fun since(moment: Date, tag: String): Sequence<String> {
        val time = SimpleDateFormat("MM-dd HH:mm:ss.SSS", Locale.ROOT).format(moment)
        val process = android.os.Process.myPid().toString()
        val command = listOf("logcat", "-d", "--pid=$process", "-T", time, "-s", "$tag:V")
        return try {
            val logcat = ProcessBuilder(command).redirectErrorStream(true).start()
            logcat.outputStream.close()
            logcat.inputStream.bufferedReader().use { it.readLines() }.asSequence()
        } catch (_: IOException) {
            emptySequence()
        }
    }
}
