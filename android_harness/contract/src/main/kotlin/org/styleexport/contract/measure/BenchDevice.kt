package org.styleexport.contract.measure

import java.io.File
import java.io.IOException
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.JobCell

/** Device services used by the benchmark. */
public interface BenchDevice {
    /** Monotonic clock. */
    public val clock: Clock

    /** Memory of the benchmark's process. */
    public val memory: ProcessMemory

    /**
     * Load a cell's file.
     *
     * @throws EngineUnavailable the requested settings are not supported here.
     */
    public fun open(cell: JobCell, threads: Int?): Session

    /** Return the tensors of a cell's probe by name. */
    public fun probe(cell: JobCell): Map<String, Tensor>

    /** Return the output image as a small JPEG in base64; null where the output is no image. */
    public fun thumbnail(outputs: Map<String, Tensor>, cell: JobCell): String?

    /** Report progress in one line. */
    public fun progress(line: String)

    /** Whether the benchmark was cancelled. */
    public val isCancelled: Boolean
}

/** Monotonic clock. */
public fun interface Clock {
    /** Return nanoseconds since an arbitrary origin. */
    public fun now(): Long

    public companion object {
        private const val STEPS = 40
        private const val READS = 2_000_000

        /** Return the smallest observed step of a clock in nanoseconds; 0 if it never advanced. */
        public fun resolutionNs(clock: Clock): Double {
            var smallest = Long.MAX_VALUE
            var before = clock.now()
            var steps = 0
            for (read in 0 until READS) {
                val after = clock.now()
                if (after > before) {
                    smallest = minOf(smallest, after - before)
                    if (++steps == STEPS) break
                }
                before = after
            }
            return if (steps > 0) smallest.toDouble() else 0.0
        }
    }
}

/**
 * Resident memory of this process, from Linux's procfs.
 *
 * @param folder folder of the process in procfs.
 */
public class ProcessMemory(private val folder: File = File("/proc/self")) {
    private var isFirst = true

    /** Return the resident set size in bytes; null where it is unknown. */
    public fun residentBytes(): Long? = field("VmRSS")

    /**
     * Return the peak resident set size in bytes; null where it is unknown.
     *
     * @param isReset result of [resetPeak]; an older peak is not reported.
     */
    public fun peakBytes(isReset: Boolean): Long? = if (isReset) field("VmHWM") else null

    /** Reset the peak; return whether the next [peakBytes] excludes what came before. */
    public fun resetPeak(): Boolean {
        val first = isFirst
        isFirst = false
        return try {
            File(folder, "clear_refs").writeText(RESET_PEAK)
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
        const val RESET_PEAK = "5"
    }
}
