package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One convolution, or matrix product, as the desktop's runtime computes it.
 *
 * @property layer as the file names it.
 * @property integer whether activations and weights are multiplied as integers.
 * @property macs multiply-accumulates; 0 where sizes are open.
 */
public data class ConvolutionFact(
    public val layer: String,
    public val integer: Boolean,
    public val macs: Long,
) {
    internal companion object {
        val read: Read<ConvolutionFact> = Fields.strict {
            ConvolutionFact(
                layer = it.required("layer", Readers.text),
                integer = it.required("integer", Readers.boolean),
                macs = it.required("macs", Readers.whole),
            )
        }
    }
}
