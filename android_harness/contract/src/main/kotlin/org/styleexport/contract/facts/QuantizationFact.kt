package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * How a file is quantized.
 *
 * @property scheme whether ranges are fixed beforehand, taken at run time, or only the weights
 *   are stored.
 * @property weightDtype of the stored weights; of a palette, the index.
 * @property activationDtype of the activations between integer operations.
 * @property perChannel whether each output channel has its own weight scale.
 * @property calibration null for weights-only.
 * @property floatIslands what stays in float.
 */
public data class QuantizationFact(
    public val scheme: String,
    public val weightDtype: String,
    public val activationDtype: String?,
    public val perChannel: Boolean,
    public val calibration: CalibrationFact?,
    public val floatIslands: List<FloatIslandFact>,
) {
    internal companion object {
        private val SCHEME =
            oneOf("qdq-static", "static", "dynamic-range", "weights-only", "palette")
        private val WEIGHT = oneOf("int8", "uint4", "uint6", "uint8")
        private val ACTIVATION = oneOf("uint8", "int8")

        private fun oneOf(vararg values: String) = Readers.oneOf(values.asList()) { it }

        val read: Read<QuantizationFact> = Fields.strict {
            QuantizationFact(
                scheme = it.required("scheme", SCHEME),
                weightDtype = it.required("weight_dtype", WEIGHT),
                activationDtype = it.nullable("activation_dtype", ACTIVATION),
                perChannel = it.required("per_channel", Readers.boolean),
                calibration = it.nullable("calibration", CalibrationFact.read),
                floatIslands = it.required("float_islands", Readers.list(FloatIslandFact.read)),
            )
        }
    }
}
