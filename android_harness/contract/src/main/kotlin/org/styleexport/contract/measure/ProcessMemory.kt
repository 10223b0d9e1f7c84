package org.styleexport.contract.measure

import java.io.File
import java.io.IOException

/**
 * What this process holds, as Linux tells it.
 *
 * @param folder of the process in procfs.
 */
public class ProcessMemory(private val folder: File = File("/proc/self")) {
    private var isFirst = true

    /** Return what it holds now, in bytes; null where it is not told. */
    public fun heldBytes(): Long? = field("VmRSS")

    /**
     * Return the most that it held since `begin`, in bytes.
     *
     * Null where the system does not tell, or could not forget an earlier peak.
     */
    public fun peakBytes(isFresh: Boolean): Long? = if (isFresh) field("VmHWM") else null

    /** Forget the peak so far; return whether what `peakBytes` tells belongs to what follows. */
    public fun begin(): Boolean {
        val first = isFirst
        isFirst = false
        return try {
            File(folder, "clear_refs").writeText(FORGET_PEAK)
            true
        } catch (_: IOException) {
            first
        }
    }

    private fun field(name: String): Long? = try {
        val line = File(folder, "status").readLines().firstOrNull { it.startsWith("$name:") }
        line?.filter(Char::isDigit)?.toLongOrNull()?.times(BYTES_PER_KB)
    } catch (_: IOException) {
        null
    }

    private companion object {
        const val BYTES_PER_KB = 1024L

        /** See proc(5), clear_refs. */
        const val FORGET_PEAK = "5"
    }
}
