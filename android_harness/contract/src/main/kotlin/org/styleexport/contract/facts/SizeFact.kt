package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** Height and width in pixels. */
public data class SizeFact(public val height: Int, public val width: Int) {
    /** Height times width. */
    public val pixels: Long get() = height.toLong() * width

    override fun toString(): String = "${height}x$width"

    internal fun json(): JsonObject = Members.of {
        put("height", height)
        put("width", width)
    }

    internal companion object {
        val read: Read<SizeFact> = Fields.strict {
            SizeFact(it.required("height", Readers.int(1)), it.required("width", Readers.int(1)))
        }
    }
}
