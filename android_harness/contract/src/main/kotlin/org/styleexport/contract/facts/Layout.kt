package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** The order of a tensor's axes; PIXELS is that of a pixel buffer of the platform. */
public enum class Layout(public val text: String) {
    NCHW("NCHW"),
    NHWC("NHWC"),
    PIXELS("pixels"),
    NK("NK"),
    N("N");

    internal companion object {
        val read: Read<Layout> = Readers.oneOf(entries, Layout::text)
    }
}
