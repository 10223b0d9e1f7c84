package org.styleexport.contract.arithmetic

/** Numbers of 16 bits (IEEE 754 binary16), which Java has no type for. */
public object Half {
    private const val SIGN = 0x8000
    private const val INFINITY = 0x7C00
    private const val QUIET = 0x7E00
    private const val BIAS = 127 - 15
    private const val FRACTION_BITS = 13
    private const val LEAST = 5.9604645e-8f // 2^-24, the step of the smallest

    /** Return the number nearest to a float; of two equally near, the even one. */
    public fun fromFloat(value: Float): Short {
        val bits = value.toRawBits()
        val sign = bits ushr 16 and SIGN
        val magnitude = Math.abs(value)
        val half = when {
            value.isNaN() -> QUIET
            magnitude >= 65_520f -> INFINITY
            // Below the smallest normal number the steps are all alike.
            magnitude < 6.1035156e-5f -> Math.rint((magnitude / LEAST).toDouble()).toInt()
            else -> normal(bits and Int.MAX_VALUE)
        }
        return (sign or half).toShort()
    }

    private fun normal(bits: Int): Int {
        val even = bits ushr FRACTION_BITS and 1
        val rounded = bits + (1 shl FRACTION_BITS - 1) - 1 + even
        return (rounded ushr FRACTION_BITS) - (BIAS shl 10)
    }

    /** Return the float of the same value. */
    public fun toFloat(half: Short): Float {
        val bits = half.toInt() and 0xFFFF
        val exponent = bits ushr 10 and 0x1F
        val fraction = bits and 0x3FF
        val magnitude = when (exponent) {
            0 -> fraction * LEAST
            0x1F -> if (fraction == 0) Float.POSITIVE_INFINITY else Float.NaN
            else -> Float.fromBits(exponent + BIAS shl 23 or (fraction shl FRACTION_BITS))
        }
        return if (bits and SIGN != 0) -magnitude else magnitude
    }
}
