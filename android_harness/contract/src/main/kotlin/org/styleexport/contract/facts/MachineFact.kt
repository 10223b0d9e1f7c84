package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonText
import org.styleexport.contract.json.Members
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What it was measured on.
 *
 * @property device model of the computer or phone, or what of it is known.
 * @property os name and version.
 * @property processor model of the CPU or system on a chip.
 * @property cores logical processors that the harness may use.
 * @property memoryBytes of the machine.
 * @property accelerators GPUs and neural engines that were found.
 * @property features of the instruction set that runtimes choose kernels by.
 * @property versions of the runtimes, the system and the driver.
 */
public data class MachineFact(
    public val device: String,
    public val os: String,
    public val processor: String,
    public val cores: Long,
    public val memoryBytes: Long,
    public val accelerators: List<String> = emptyList(),
    public val features: List<String> = emptyList(),
    public val versions: Map<String, String> = emptyMap(),
) {
    internal fun json(): JsonObject = Members.of {
        put("device", device)
        put("os", os)
        put("processor", processor)
        put("cores", cores)
        put("memory_bytes", memoryBytes)
        put("accelerators", accelerators, ::JsonText)
        put("features", features, ::JsonText)
        put("versions", versions)
    }

    internal companion object {
        val read: Read<MachineFact> = Fields.strict {
            MachineFact(
                device = it.required("device", Readers.words),
                os = it.required("os", Readers.words),
                processor = it.required("processor", Readers.words),
                cores = it.required("cores", Readers.count),
                memoryBytes = it.required("memory_bytes", Readers.count),
                accelerators = it.optional(
                    "accelerators", emptyList(), Readers.list(Readers.words),
                ),
                features = it.optional("features", emptyList(), Readers.list(Readers.words)),
                versions = it.optional("versions", emptyMap(), Readers.facts),
            )
        }
    }
}
