package org.styleexport.contract.arithmetic

/** Styles between styles; AdaIN is linear in the style code, so blending codes is exact. */
public object StyleBlend {
    /**
     * Return the weighted mean of style codes.
     *
     * @throws IllegalArgumentException other weights than codes, negative ones, or none above zero.
     */
    public fun of(codes: List<FloatArray>, weights: List<Double>): FloatArray {
        require(codes.size == weights.size) { "${codes.size} styles but ${weights.size} weights" }
        val total = weights.sum()
        require(weights.all { it >= 0 } && total > 0 && total < Double.POSITIVE_INFINITY) {
            "style weights $weights must not be negative, and one must be above 0"
        }
        val mixed = FloatArray(codes.first().size)
        codes.zip(weights) { code, weight ->
            require(code.size == mixed.size) { "style codes of ${code.size} and ${mixed.size}" }
            val share = (weight / total).toFloat()
            for (index in mixed.indices) mixed[index] += code[index] * share
        }
        return mixed
    }
}
