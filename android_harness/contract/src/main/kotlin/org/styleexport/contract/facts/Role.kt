package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** What one exported file computes. */
public enum class Role(public val text: String) {
    /** (content, style) → image, or content → image of a network with one style. */
    STYLIZE("stylize"),

    /** style → style code. */
    ENCODE("encode"),

    /** (content, style code, strength) → image. */
    TRANSFORM("transform");

    internal companion object {
        val read: Read<Role> = Readers.oneOf(entries, Role::text)
    }
}
