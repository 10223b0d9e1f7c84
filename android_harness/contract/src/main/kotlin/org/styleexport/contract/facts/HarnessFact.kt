package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What measured.
 *
 * @property name of the harness.
 * @property version of it.
 * @property commit that it was built from; null where nobody knows.
 */
public data class HarnessFact(
    public val name: String,
    public val version: String,
    public val commit: String? = null,
) {
    internal fun json(): JsonObject = Members.of {
        put("name", name)
        put("version", version)
        put("commit", commit)
    }

    internal companion object {
        private val NAMES = listOf("desktop", "browser", "android", "ios")

        val read: Read<HarnessFact> = Fields.strict {
            HarnessFact(
                name = it.required("name", Readers.oneOf(NAMES) { one -> one }),
                version = it.required("version", Readers.words),
                commit = it.optional("commit", Readers.words),
            )
        }
    }
}
