package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Style codes by name, float32 [1, K] each, in a safetensors file.
 *
 * @property path below the artifact directory.
 * @property names of the styles.
 * @property encoder the file that made the codes.
 * @property sha256 of the pack's file.
 */
public data class StylePackFact(
    public val path: String,
    public val names: List<String>,
    public val encoder: String,
    public val sha256: String,
) {
    internal companion object {
        val read: Read<StylePackFact> = Fields.strict {
            StylePackFact(
                path = it.required("path", Readers.path),
                names = it.required("names", Readers.list(Readers.text)),
                encoder = it.required("encoder", Readers.path),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
