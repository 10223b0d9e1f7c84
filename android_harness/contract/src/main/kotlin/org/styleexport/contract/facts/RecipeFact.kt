package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * The int8 recipe that files of one role, size and precision follow.
 *
 * @property path below the artifact directory.
 * @property role of the files.
 * @property size of the files.
 * @property precision of the files.
 * @property sha256 of the recipe's file.
 */
public data class RecipeFact(
    public val path: String,
    public val role: Role,
    public val size: SizeFact,
    public val precision: Precision,
    public val sha256: String,
) {
    internal companion object {
        val read: Read<RecipeFact> = Fields.strict {
            RecipeFact(
                path = it.required("path", Readers.path),
                role = it.required("role", Role.read),
                size = it.required("size", SizeFact.read),
                precision = it.required("precision", Precision.read),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
