package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Golden input and output of one role at one size, float32, in a safetensors file.
 *
 * @property path below the artifact directory.
 * @property role of the files it proves.
 * @property size of the picture.
 * @property sha256 of the probe's file.
 */
public data class ProbeFact(
    public val path: String,
    public val role: Role,
    public val size: SizeFact,
    public val sha256: String,
) {
    internal companion object {
        val read: Read<ProbeFact> = Fields.strict {
            ProbeFact(
                path = it.required("path", Readers.path),
                role = it.required("role", Role.read),
                size = it.required("size", SizeFact.read),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
