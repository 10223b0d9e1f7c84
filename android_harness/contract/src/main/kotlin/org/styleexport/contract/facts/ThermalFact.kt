package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * How hot the device says it is, on a scale of its own.
 *
 * @property scale `android` is 0 (none) to 6 (shutdown), `apple` 0 to 3, `celsius` the hottest
 *   sensor.
 * @property value on that scale.
 */
public data class ThermalFact(
    public val scale: String,
    public val value: Double,
) {
    internal fun json(): JsonObject = Members.of {
        put("scale", scale)
        put("value", value)
    }

    internal companion object {
        private val SCALES = listOf("android", "apple", "celsius")

        val read: Read<ThermalFact> = Fields.strict {
            ThermalFact(
                scale = it.required("scale", Readers.oneOf(SCALES) { one -> one }),
                value = it.required("value", Readers.number),
            )
        }
    }
}
