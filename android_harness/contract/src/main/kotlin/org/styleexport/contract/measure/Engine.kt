package org.styleexport.contract.measure

import java.io.File
import org.styleexport.contract.facts.CellWish

/** A runtime: it opens files and runs them, and never times itself. */
public interface Engine {
    /** Of the files that it runs, such as `.tflite`. */
    public val suffix: String

    /**
     * Return a session on a file.
     *
     * @param file where it lies on this device.
     * @param wish what it takes and gives, and the settings that are asked for.
     * @param threads of the runtime; null leaves it to the device.
     * @throws EngineUnavailable these settings cannot be had here.
     */
    public fun open(file: File, wish: CellWish, threads: Int?): Session
}
