package org.styleexport.contract.stylize

import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.Blending
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.NetworkFact
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind

/**
 * Runs one exported file on images of its input size.
 *
 * @property file file that stylizes, that encodes styles, or that describes contents.
 * @property size input size of the images.
 * @property run runs the file: inputs by name → outputs by name.
 */
public class ModelRunner(
    private val file: FileFact,
    private val size: SizeFact,
    private val run: (Map<String, Tensor>) -> Map<String, Tensor>,
) {
    /**
     * Return a stylized image, [1, 3, k·H, k·W]; the scale k is above 1 for a file that enlarges.
     *
     * @param content content image, [1, 3, H, W], of the input size.
     * @param strength 0 keeps the content, 1 is the full style. A file without a strength input
     *   is mixed with the content in pixels.
     * @throws IllegalArgumentException the file takes another kind of style.
     * @throws ArithmeticException the output has values that are not finite.
     */
    public fun stylize(content: Tensor, style: Style, strength: Float): Tensor {
        val inputs = file.inputs.associate { fact ->
            fact.name to when (fact.kind) {
                TensorKind.IMAGE -> if (fact.name == STYLE) image(style) else content
                TensorKind.STYLE_CODE -> code(style)
                TensorKind.STRENGTH -> Tensor(listOf(1), floatArrayOf(strength))
                TensorKind.CONTENT_TARGET, TensorKind.LOSS, TensorKind.GRADIENT ->
                    throw IllegalArgumentException("${file.path} is iterated: use StepRunner")
                TensorKind.MAP, TensorKind.STATISTIC, TensorKind.REGION ->
                    throw IllegalArgumentException("${file.path} is a pass: use TiledPainter")
            }
        }
        val output = output(inputs)
        val hasStrength = file.inputs.any { it.kind == TensorKind.STRENGTH }
        if (hasStrength || strength == 1f) return output
        return mixed(enlarged(content, output.shape), output, strength)
    }

    /** Return the style code of a style image, [1, K]. */
    public fun encode(style: Style.Image): Tensor =
        output(mapOf(file.inputs.single().name to style.at(size)))

    /** Return the target of a content image, [1, T], of a file with the role `content`. */
    public fun contentTarget(content: Tensor): Tensor =
        output(mapOf(file.inputs.single().name to content))

    private fun output(inputs: Map<String, Tensor>): Tensor {
        val output = run(inputs).getValue(file.outputs.first().name)
        if (output.data.any { it.isNaN() || it.isInfinite() }) {
            throw ArithmeticException("${file.path} computes values that are not finite")
        }
        return output
    }

    private fun image(style: Style): Tensor {
        require(style is Style.Image) { "${file.path} takes the style as an image" }
        return style.at(size)
    }

    private fun code(style: Style): Tensor {
        require(style is Style.Code) { "${file.path} takes the style as a code" }
        return style.code
    }

    /** Return an image at a multiple of its size, each pixel repeated. */
    private fun enlarged(image: Tensor, shape: List<Int>): Tensor {
        if (image.shape == shape) return image
        val scale = shape[2] / image.shape[2]
        val (rows, columns) = shape.drop(2).map { side -> IntArray(side) { it / scale } }
        return Mirror.gather(image, rows, columns)
    }

    private fun mixed(content: Tensor, output: Tensor, strength: Float) =
        Tensor(output.shape, FloatArray(output.data.size) {
            content.data[it] + strength * (output.data[it] - content.data[it])
        })

    private companion object {
        /** Name of the style image input; the other image input is the content. */
        const val STYLE = "style"
    }
}

/** Style to apply. */
public sealed interface Style {
    /** The only style of a fixed-style network. */
    public object Fixed : Style

    /** Style code, [1, K]. */
    public class Code(public val code: Tensor) : Style

    /** Style image; `at` returns its centre crop at a size, [1, 3, H, W]. */
    public class Image(public val at: (SizeFact) -> Tensor) : Style
}

/** Blends of style codes, where the network's codes can be blended. */
public object StyleBlend {
    /**
     * Return the weighted mean of style codes.
     *
     * @param codes style codes, all of one length.
     * @param weights weight of each code; they need not sum to 1.
     * @param network network of the codes; that of an older artifact refuses no blend.
     * @throws IllegalArgumentException the numbers of codes and weights differ, a weight is
     *   negative, none is above zero, or codes of the network cannot be blended.
     */
    public fun of(
        codes: List<FloatArray>, weights: List<Double>, network: NetworkFact,
    ): FloatArray {
        require(codes.size == weights.size) { "${codes.size} styles but ${weights.size} weights" }
        val total = weights.sum()
        require(weights.all { it >= 0 } && total > 0 && total < Double.POSITIVE_INFINITY) {
            "style weights $weights must not be negative, and one must be above 0"
        }
        val layout = network.codeLayout
        require(weights.count { it > 0 } < 2 || layout?.blending != Blending.NONE) {
            "style codes of ${network.name} cannot be blended: ${layout?.reason}; use one style"
        }
        val mean = FloatArray(codes.first().size)
        codes.zip(weights) { code, weight ->
            require(code.size == mean.size) { "style codes of ${code.size} and ${mean.size}" }
            val share = (weight / total).toFloat()
            for (index in mean.indices) mean[index] += code[index] * share
        }
        return mean
    }
}
