package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * The captured float network of one role and size, for the desktop.
 *
 * @property path below the artifact directory.
 * @property role what it computes.
 * @property size of the picture.
 * @property sha256 of the archive.
 */
public data class ProgramFact(
    public val path: String,
    public val role: Role,
    public val size: SizeFact,
    public val sha256: String,
) {
    internal companion object {
        val read: Read<ProgramFact> = Fields.strict {
            ProgramFact(
                path = it.required("path", Readers.path),
                role = it.required("role", Role.read),
                size = it.required("size", SizeFact.read),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
