package org.styleexport.contract.paint

import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind

/**
 * Paints images of a file's own size.
 *
 * @property file that paints, or that makes style codes.
 * @property size at which it runs.
 * @property run the file: inputs by name → outputs by name.
 */
public class Brush(
    private val file: FileFact,
    private val size: SizeFact,
    private val run: (Map<String, Tensor>) -> Map<String, Tensor>,
) {
    /**
     * Return an image painted in a style.
     *
     * @param content an image of the size.
     * @param strength 0 keeps the content, 1 is the full style.
     * @throws IllegalArgumentException the file takes another kind of style.
     * @throws ArithmeticException it computes values that are not finite.
     */
    public fun paint(content: Tensor, style: Style, strength: Float): Tensor {
        val inputs = file.inputs.associate { fact ->
            fact.name to when (fact.kind) {
                TensorKind.IMAGE -> if (fact.name == STYLE) painting(style) else content
                TensorKind.STYLE_CODE -> code(style)
                TensorKind.STRENGTH -> Tensor(listOf(1), floatArrayOf(strength))
            }
        }
        val painted = output(inputs)
        val hasStrength = file.inputs.any { it.kind == TensorKind.STRENGTH }
        return if (hasStrength || strength == 1f) painted else between(content, painted, strength)
    }

    /** Return the style code of a painting, by a file that makes codes. */
    public fun encode(painting: Style.Painting): Tensor =
        output(mapOf(file.inputs.single().name to painting.at(size)))

    private fun output(inputs: Map<String, Tensor>): Tensor {
        val output = run(inputs).getValue(file.outputs.first().name)
        if (output.data.any { it.isNaN() || it.isInfinite() }) {
            throw ArithmeticException("${file.path} computes values that are not finite")
        }
        return output
    }

    private fun painting(style: Style): Tensor {
        require(style is Style.Painting) { "${file.path} takes the style as a picture" }
        return style.at(size)
    }

    private fun code(style: Style): Tensor {
        require(style is Style.Code) { "${file.path} takes the style as a code" }
        return style.code
    }

    private fun between(content: Tensor, painted: Tensor, strength: Float) =
        Tensor(painted.shape, FloatArray(painted.data.size) {
            content.data[it] + strength * (painted.data[it] - content.data[it])
        })

    private companion object {
        /** Of the two images that a file may take, the one that is not the content. */
        const val STYLE = "style"
    }
}
