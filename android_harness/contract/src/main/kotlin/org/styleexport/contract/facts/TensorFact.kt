package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonNumber
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * One input or output of a file.
 *
 * @property name as the file names it.
 * @property kind what it holds.
 * @property shape axis lengths; null is an axis of any length.
 * @property dtype of the elements.
 * @property layout the order of the axes.
 * @property pixelRange lowest and highest pixel value; images only.
 * @property colourOrder of the channels; images only.
 */
public data class TensorFact(
    public val name: String,
    public val kind: TensorKind,
    public val shape: List<Int?>,
    public val dtype: ElementType,
    public val layout: Layout,
    public val pixelRange: PixelRange?,
    public val colourOrder: String?,
) {
    internal companion object {
        private val axis: Read<Int?> = { value, where ->
            if (value is JsonNumber) {
                Readers.int(0)(value, where)
            } else {
                Readers.text(value, where).let { null }
            }
        }
        private val RGB = Readers.oneOf(listOf("RGB")) { it }
        private val range: Read<PixelRange> = { value, where ->
            val (low, high) = Readers.list(Readers.number, 2, 2)(value, where)
            if (!(low < high)) throw ContractError(where, "expected the lowest pixel value first")
            PixelRange(low.toFloat(), high.toFloat())
        }

        val read: Read<TensorFact> = Fields.strict {
            TensorFact(
                name = it.required("name", Readers.text),
                kind = it.required("kind", TensorKind.read),
                shape = it.required("shape", Readers.list(axis)),
                dtype = it.required("dtype", ElementType.read),
                layout = it.required("layout", Layout.read),
                pixelRange = it.optional("pixel_range", range),
                colourOrder = it.optional("colour_order", RGB),
            )
        }
    }
}
