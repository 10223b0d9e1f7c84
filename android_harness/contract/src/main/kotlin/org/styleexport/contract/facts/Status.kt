package org.styleexport.contract.facts

import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/** What became of a cell. */
public enum class Status(public val text: String) {
    /** It holds samples. */
    MEASURED("measured"),

    /** It failed the artifact's probe. */
    WRONG("wrong"),

    /** It cannot run here. */
    UNAVAILABLE("unavailable"),

    /** It broke. */
    FAILED("failed"),

    /** It ran out of memory. */
    OUT_OF_MEMORY("out-of-memory");

    internal companion object {
        val read: Read<Status> = Readers.oneOf(entries, Status::text)
    }
}
