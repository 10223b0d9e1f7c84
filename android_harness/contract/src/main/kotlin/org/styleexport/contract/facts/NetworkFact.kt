package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * The network that the files came from.
 *
 * @property name as typed on the command line.
 * @property summary one line.
 * @property paper where it was published.
 * @property licence of the weights.
 * @property source names of the checkpoint files.
 * @property sourceSha256 over their contents.
 * @property minSide the smallest side in pixels.
 * @property roles that the network has, exported or not.
 */
public data class NetworkFact(
    public val name: String,
    public val summary: String,
    public val paper: String,
    public val licence: String,
    public val source: List<String>,
    public val sourceSha256: String,
    public val minSide: Int,
    public val roles: List<Role>,
) {
    internal companion object {
        val read: Read<NetworkFact> = Fields.strict {
            NetworkFact(
                name = it.required("name", Readers.text),
                summary = it.required("summary", Readers.text),
                paper = it.required("paper", Readers.text),
                licence = it.required("licence", Readers.text),
                source = it.required("source", Readers.list(Readers.text)),
                sourceSha256 = it.required("source_sha256", Readers.sha256),
                minSide = it.required("min_side", Readers.int(Int.MIN_VALUE)),
                roles = it.required("roles", Readers.list(Role.read)),
            )
        }
    }
}
