package org.styleexport.contract.facts

import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.JsonNumber
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonValue

/** The version of a file's schema, which is looked at before anything else of it. */
internal object SchemaVersion {
    /**
     * Refuse a file of another version.
     *
     * @param remedy what to do about it.
     * @throws ContractError it states another version.
     */
    fun check(value: JsonValue, expected: Int, remedy: String) {
        val stated = (value as? JsonObject)?.members?.get("schema_version") ?: return
        val digits = (stated as? JsonNumber)?.digits
        if (digits != expected.toString()) {
            throw ContractError(
                "${ContractError.WHOLE}.schema_version",
                "schema version ${digits ?: "in ${stated.kind}"}, expected $expected: $remedy",
            )
        }
    }
}
