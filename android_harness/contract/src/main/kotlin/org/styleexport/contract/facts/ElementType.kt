package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** Of a tensor's elements; UINT8 images are pixel buffers of the platform. */
public enum class ElementType(public val text: String, public val bytes: Int) {
    FLOAT32("float32", 4),
    FLOAT16("float16", 2),
    UINT8("uint8", 1);

    internal companion object {
        val read: Read<ElementType> = Readers.oneOf(entries, ElementType::text)
    }
}
