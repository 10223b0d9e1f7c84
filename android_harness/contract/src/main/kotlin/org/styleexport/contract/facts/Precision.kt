package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** How a file stores and computes its convolutions. */
public enum class Precision(public val text: String) {
    FP32("fp32"),
    FP16("fp16"),
    INT8("int8"),
    AUTO("auto"),
    INT8_WEIGHTS("int8-weights"),
    PALETTE4("palette4"),
    PALETTE6("palette6"),
    PALETTE8("palette8");

    internal companion object {
        val read: Read<Precision> = Readers.oneOf(entries, Precision::text)
    }
}
