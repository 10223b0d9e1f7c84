package org.styleexport.contract.measure

import java.io.Closeable
import java.io.File
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.JobCell

/** Runtime that loads and runs exported files; it never measures time itself. */
public interface Engine {
    /** Extension of the files that it runs, such as `.tflite`. */
    public val suffix: String

    /**
     * Load a file.
     *
     * @param file location on this device.
     * @param cell inputs, outputs, size and requested settings.
     * @param threads number of threads of the runtime; null is the runtime's default.
     * @throws EngineUnavailable the requested settings are not supported here.
     */
    public fun open(file: File, cell: JobCell, threads: Int?): Session
}

/**
 * Loaded file: inputs by name in, outputs by name out, all float32.
 *
 * Images are [1, 3, H, W], RGB in 0..1, whatever layout, range and element type the file itself
 * uses: `feed` and `fetch` convert. `invoke` is the inference alone and returns after all its work
 * is done. A session is used only on the thread that opened it: GPU delegates are bound to it.
 */
public interface Session : Closeable {
    /** Settings that the runtime reports, which may differ from those requested. */
    public val effective: Map<String, String>

    /** Compilation time in nanoseconds, where the runtime compiles apart from loading. */
    public val compileNs: Long? get() = null

    /** Fraction of the operations by delegate, 0..1, where the runtime reports it. */
    public val placement: Map<String, Double> get() = emptyMap()

    /** Convert and copy the inputs. */
    public fun feed(inputs: Map<String, Tensor>)

    /** Run the file on the inputs that were fed. */
    public fun invoke()

    /** Return the outputs of the last run. */
    public fun fetch(): Map<String, Tensor>
}

/** The requested settings are not supported on this device; the file is not at fault. */
public class EngineUnavailable(message: String, cause: Throwable? = null) :
    Exception(message, cause)
