package org.styleexport.harness.engine

import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.DelegateLog

/** System log of this process, which an app may read without a permission. */
object ProcessLog {
    /** Tag of LiteRT's lines on delegates. */
    const val LITERT = "tflite"

    /** Return the lines of a tag since a time; none if the log cannot be read. */
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

    /** Return the share of XNNPACK and of LiteRT's own kernels since loading began. */
    fun cpuPlacement(loadStart: Date): Map<String, Double> {
        val shares = DelegateLog.shares(since(loadStart, LITERT))
        if (shares.isEmpty()) return shares
        val rest = 1.0 - shares.values.sum()
        return if (rest > 0) shares + (DelegateKind.CPU.text to rest) else shares
    }
}
