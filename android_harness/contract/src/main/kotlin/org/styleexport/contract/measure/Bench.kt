package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellWish

/** What a device lends to a measurement. */
public interface Bench {
    /** That times everything. */
    public val clock: Clock

    /** Of the process that measures. */
    public val memory: ProcessMemory

    /**
     * Return a session on a cell's file.
     *
     * @throws EngineUnavailable the settings cannot be had here.
     */
    public fun open(wish: CellWish, threads: Int?): Session

    /** Return the tensors of a cell's probe. */
    public fun probe(wish: CellWish): Map<String, Tensor>

    /** Return what was painted as a small JPEG in base64; null where it is no picture. */
    public fun paint(outputs: Map<String, Tensor>, wish: CellWish): String?

    /** Say how far the work is. */
    public fun say(line: String)

    /** Whether the work is to end. */
    public val isCancelled: Boolean
}
