package org.styleexport.contract.facts

/** Lowest and highest value of a pixel. */
public data class PixelRange(public val low: Float, public val high: Float) {
    public companion object {
        /** 0..1, in which pictures travel between stages. */
        public val UNIT: PixelRange = PixelRange(0f, 1f)
    }
}
