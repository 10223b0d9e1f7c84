package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What the desktop's runtime executes of a file.
 *
 * @property runtime name and version.
 * @property nodes operation → count as executed.
 * @property integerMacShare the share of the MACs that is computed in integers, 0..1.
 * @property convolutions in order.
 * @property floatRoundTrips how often values are dequantized, only moved, and quantized again.
 * @property transposes how many maps are copied from one layout to another.
 * @property quantizes how many float activations are quantized.
 * @property dequantizes how many integer activations are dequantized.
 * @property bytesByDtype constants of the file, by how they are stored.
 */
public data class ExecutionFact(
    public val runtime: String,
    public val nodes: Map<String, Long>,
    public val integerMacShare: Double,
    public val convolutions: List<ConvolutionFact>,
    public val floatRoundTrips: Long,
    public val transposes: Long,
    public val quantizes: Long,
    public val dequantizes: Long,
    public val bytesByDtype: Map<String, Long>,
) {
    internal companion object {
        val read: Read<ExecutionFact> = Fields.strict {
            ExecutionFact(
                runtime = it.required("runtime", Readers.text),
                nodes = it.required("nodes", Readers.map(Readers.whole)),
                integerMacShare = it.required("integer_mac_share", Readers.number),
                convolutions = it.required("convolutions", Readers.list(ConvolutionFact.read)),
                floatRoundTrips = it.required("float_round_trips", Readers.whole),
                transposes = it.required("transposes", Readers.whole),
                quantizes = it.required("quantizes", Readers.whole),
                dequantizes = it.required("dequantizes", Readers.whole),
                bytesByDtype = it.required("bytes_by_dtype", Readers.map(Readers.whole)),
            )
        }
    }
}
