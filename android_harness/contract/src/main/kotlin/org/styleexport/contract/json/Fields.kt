package org.styleexport.contract.json

/** Reads a value that stands at a JSON path. */
internal typealias Read<T> = (value: JsonValue, where: String) -> T

/**
 * The fields of an object while they are read.
 *
 * @property where JSON path of the object.
 */
internal class Fields private constructor(
    private val members: Map<String, JsonValue>,
    val where: String,
) {
    private val asked = HashSet<String>()

    /** Return a field that must be there. */
    fun <T> required(name: String, read: Read<T>): T {
        val value = take(name) ?: throw ContractError(where, "the field `$name` is missing")
        return read(value, "$where.$name")
    }

    /** Return a field that must be there and may be null. */
    fun <T> nullable(name: String, read: Read<T>): T? = required(name) { value, path ->
        if (value is JsonNull) null else read(value, path)
    }

    /** Return a field, null where it is not there or is null. */
    fun <T> optional(name: String, read: Read<T>): T? = when (val value = take(name)) {
        null, JsonNull -> null
        else -> read(value, "$where.$name")
    }

    /** Return a field, or what stands for it where it is not there. */
    fun <T> optional(name: String, otherwise: T, read: Read<T>): T {
        val value = take(name) ?: return otherwise
        return read(value, "$where.$name")
    }

    private fun take(name: String): JsonValue? {
        asked.add(name)
        return members[name]
    }

    private fun refuseOthers() {
        val other = members.keys.firstOrNull { it !in asked } ?: return
        throw ContractError(where, "the field `$other` is unknown")
    }

    companion object {
        /** Return what `make` reads of an object; a field that it does not ask for is refused. */
        fun <T> strict(make: (Fields) -> T): Read<T> = { value, where ->
            val fields = of(value, where)
            make(fields).also { fields.refuseOthers() }
        }

        /** Return what `make` reads of an object; other fields are left alone. */
        fun <T> open(make: (Fields) -> T): Read<T> = { value, where -> make(of(value, where)) }

        private fun of(value: JsonValue, where: String): Fields {
            if (value !is JsonObject) {
                throw ContractError(where, "expected an object, got ${value.kind}")
            }
            return Fields(value.members, where)
        }
    }
}
