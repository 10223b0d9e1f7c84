package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * The file that was measured, as the manifest of its artifact describes it.
 *
 * @property network name.
 * @property sourceSha256 of the weights.
 * @property path below the artifact directory.
 * @property sha256 of the file.
 * @property target its format.
 * @property precision how it computes convolutions.
 * @property role what it computes.
 * @property sizeBytes of the file.
 * @property parameters weights and biases.
 * @property macs of one picture at the cell's size; 0 where it is not known.
 * @property int8MacShare of those, in integers, 0..1.
 * @property qualityDb PSNR to the float network over the quality probes.
 * @property styleChange relative change of the distance to the style.
 */
public data class SubjectFact(
    public val network: String,
    public val sourceSha256: String,
    public val path: String,
    public val sha256: String,
    public val target: String,
    public val precision: Precision,
    public val role: Role,
    public val sizeBytes: Long,
    public val parameters: Long,
    public val macs: Long,
    public val int8MacShare: Double,
    public val qualityDb: Double? = null,
    public val styleChange: Double? = null,
) {
    internal fun json(): JsonObject = Members.of {
        put("network", network)
        put("source_sha256", sourceSha256)
        put("path", path)
        put("sha256", sha256)
        put("target", target)
        put("precision", precision.text)
        put("role", role.text)
        put("size_bytes", sizeBytes)
        put("parameters", parameters)
        put("macs", macs)
        put("int8_mac_share", int8MacShare)
        put("quality_db", qualityDb)
        put("style_change", styleChange)
    }

    public companion object {
        /** Return an exported file as a report names it. */
        public fun of(manifest: Manifest, file: FileFact): SubjectFact = SubjectFact(
            network = manifest.network.name,
            sourceSha256 = manifest.network.sourceSha256,
            path = file.path,
            sha256 = file.sha256,
            target = file.target,
            precision = file.precision,
            role = file.role,
            sizeBytes = file.sizeBytes,
            parameters = file.parameters,
            macs = file.macs,
            int8MacShare = file.int8MacShare,
            qualityDb = file.quality?.psnrDb,
            styleChange = file.quality?.styleChange,
        )

        internal val read: Read<SubjectFact> = Fields.strict {
            SubjectFact(
                network = it.required("network", Readers.words),
                sourceSha256 = it.required("source_sha256", Readers.sha256),
                path = it.required("path", Readers.words),
                sha256 = it.required("sha256", Readers.sha256),
                target = it.required("target", Readers.words),
                precision = it.required("precision", Precision.read),
                role = it.required("role", Role.read),
                sizeBytes = it.required("size_bytes", Readers.count),
                parameters = it.required("parameters", Readers.count),
                macs = it.required("macs", Readers.count),
                int8MacShare = it.required("int8_mac_share", Readers.number),
                qualityDb = it.optional("quality_db", Readers.number),
                styleChange = it.optional("style_change", Readers.number),
            )
        }
    }
}
