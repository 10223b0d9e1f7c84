package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One exported file.
 *
 * @property path below the artifact directory.
 * @property role what it computes.
 * @property target its format.
 * @property precision how it stores and computes convolutions.
 * @property floatDtype of what it computes in float.
 * @property version of the format, and the least system that loads it.
 * @property size of the image that it takes; null when it takes several or any.
 * @property sizes the sizes it takes when they are several; empty for one, or for any.
 * @property inputs in order.
 * @property outputs in order.
 * @property parameters weights and biases of the network.
 * @property macs multiply-accumulates at `size`; 0 when open.
 * @property int8MacShare of those, the share that the desktop's runtime computes in integers.
 * @property quantization null for float files.
 * @property recipe of `recipes`, that the file follows; null for float files.
 * @property quality of files computed in int8.
 * @property execution of files computed in int8, where the runtime tells.
 * @property passes rewrites, in order.
 * @property ops operation → count.
 * @property layers layer of the captured network → the tensor that holds its output.
 * @property scaledLayers of `layers`, those whose channels the file holds multiplied by gains.
 * @property peakActivationBytes the most that activations take at once, an estimate; null when
 *   sizes are open.
 * @property risks what is known to fail or to be slow on some devices.
 * @property parity against the float network, once a runner.
 * @property sizeBytes of the file, or of all files of a package.
 * @property sha256 of the file, or of a package as `Digest` defines it.
 */
public data class FileFact(
    public val path: String,
    public val role: Role,
    public val target: String,
    public val precision: Precision,
    public val floatDtype: ElementType,
    public val version: String,
    public val size: SizeFact?,
    public val sizes: List<SizeFact>,
    public val inputs: List<TensorFact>,
    public val outputs: List<TensorFact>,
    public val parameters: Long,
    public val macs: Long,
    public val int8MacShare: Double,
    public val quantization: QuantizationFact?,
    public val recipe: String?,
    public val quality: QualityFact?,
    public val execution: ExecutionFact?,
    public val passes: List<PassFact>,
    public val ops: Map<String, Long>,
    public val layers: Map<String, String>,
    public val scaledLayers: List<String>,
    public val peakActivationBytes: Long?,
    public val risks: List<RiskFact>,
    public val parity: List<ParityFact>,
    public val sizeBytes: Long,
    public val sha256: String,
) {
    /** The last part of the path after its dot, dot and all. */
    public val suffix: String get() = "." + path.substringAfterLast('.', "")

    /** The least PSNR on a probe that any runner of the export was held to. */
    public val allowedDb: Double get() = parity.minOf(ParityFact::allowedDb)

    /** The sizes it was made for; empty where it takes any. */
    public val fixedSizes: List<SizeFact> get() = sizes.ifEmpty { listOfNotNull(size) }

    /** Whether the file runs pictures of a size. */
    public fun takes(wanted: SizeFact): Boolean =
        if (sizes.isNotEmpty()) wanted in sizes else size == null || size == wanted

    internal companion object {
        private val FLOATS = listOf(ElementType.FLOAT32, ElementType.FLOAT16)

        val read: Read<FileFact> = Fields.strict {
            FileFact(
                path = it.required("path", Readers.path),
                role = it.required("role", Role.read),
                target = it.required("target", Readers.text),
                precision = it.required("precision", Precision.read),
                floatDtype = it.required("float_dtype", Readers.oneOf(FLOATS, ElementType::text)),
                version = it.required("version", Readers.text),
                size = it.nullable("size", SizeFact.read),
                sizes = it.required("sizes", Readers.list(SizeFact.read)),
                inputs = it.required("inputs", Readers.list(TensorFact.read, least = 1)),
                outputs = it.required("outputs", Readers.list(TensorFact.read, least = 1)),
                parameters = it.required("parameters", Readers.whole),
                macs = it.required("macs", Readers.whole),
                int8MacShare = it.required("int8_mac_share", Readers.number),
                quantization = it.nullable("quantization", QuantizationFact.read),
                recipe = it.optional("recipe", Readers.path),
                quality = it.optional("quality", QualityFact.read),
                execution = it.optional("execution", ExecutionFact.read),
                passes = it.required("passes", Readers.list(PassFact.read)),
                ops = it.required("ops", Readers.map(Readers.whole)),
                layers = it.required("layers", Readers.map(Readers.text)),
                scaledLayers = it.optional(
                    "scaled_layers", emptyList(), Readers.list(Readers.text),
                ),
                peakActivationBytes = it.nullable("peak_activation_bytes", Readers.whole),
                risks = it.required("risks", Readers.list(RiskFact.read)),
                parity = it.required("parity", Readers.list(ParityFact.read, least = 1)),
                sizeBytes = it.required("size_bytes", Readers.whole),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
