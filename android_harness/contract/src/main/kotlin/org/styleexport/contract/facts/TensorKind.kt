package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** What a tensor holds: an image, a style code, or the strength (0 the content, 1 the style). */
public enum class TensorKind(public val text: String) {
    IMAGE("image"),
    STYLE_CODE("style_code"),
    STRENGTH("strength");

    internal companion object {
        val read: Read<TensorKind> = Readers.oneOf(entries, TensorKind::text)
    }
}
