package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What may disturb a measurement, before or after it; null is what the system does not tell.
 *
 * @property loadAverage of the last minute.
 * @property thermal how hot.
 * @property temperaturesCelsius by sensor.
 * @property frequencyMhz of the CPU, now.
 * @property governor of its frequency.
 * @property batteryPercent 0..100.
 * @property charging whether on mains.
 * @property lowPower whether the system saves power.
 * @property freeMemoryBytes that could be allocated.
 */
public data class StateFact(
    public val loadAverage: Double? = null,
    public val thermal: ThermalFact? = null,
    public val temperaturesCelsius: Map<String, Double> = emptyMap(),
    public val frequencyMhz: Double? = null,
    public val governor: String? = null,
    public val batteryPercent: Double? = null,
    public val charging: Boolean? = null,
    public val lowPower: Boolean? = null,
    public val freeMemoryBytes: Long? = null,
) {
    internal fun json(): JsonObject = Members.of {
        put("load_average", loadAverage)
        put("thermal", thermal?.json())
        if (temperaturesCelsius.isNotEmpty()) {
            val numbers = temperaturesCelsius.mapValues { Members.number(it.value) }
            put("temperatures_celsius", JsonObject(numbers))
        }
        put("frequency_mhz", frequencyMhz)
        put("governor", governor)
        put("battery_percent", batteryPercent)
        put("charging", charging)
        put("low_power", lowPower)
        put("free_memory_bytes", freeMemoryBytes)
    }

    internal companion object {
        val read: Read<StateFact> = Fields.strict {
            StateFact(
                loadAverage = it.optional("load_average", Readers.number),
                thermal = it.optional("thermal", ThermalFact.read),
                temperaturesCelsius = it.optional(
                    "temperatures_celsius", emptyMap(), Readers.map(Readers.number),
                ),
                frequencyMhz = it.optional("frequency_mhz", Readers.number),
                governor = it.optional("governor", Readers.words),
                batteryPercent = it.optional("battery_percent", Readers.number),
                charging = it.optional("charging", Readers.boolean),
                lowPower = it.optional("low_power", Readers.boolean),
                freeMemoryBytes = it.optional("free_memory_bytes", Readers.count),
            )
        }
    }
}
