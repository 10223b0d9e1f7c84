package org.styleexport.contract.json

/** Collects the members of an object to be written; what is null or empty is left out. */
public class Members {
    private val members = LinkedHashMap<String, JsonValue>()

    /** Return what was collected. */
    public fun build(): JsonObject = JsonObject(members)

    /** Add a value. */
    public fun put(name: String, value: JsonValue?) {
        if (value != null) members[name] = value
    }

    /** Add a text. */
    public fun put(name: String, value: String?): Unit = put(name, value?.let(::JsonText))

    /** Add a whole number. */
    public fun put(name: String, value: Long?): Unit = put(name, value?.let { number(it) })

    /** Add a whole number. */
    public fun put(name: String, value: Int?): Unit = put(name, value?.toLong())

    /** Add a number; one that is not finite cannot be written. */
    public fun put(name: String, value: Double?): Unit = put(name, value?.let { number(it) })

    /** Add true or false. */
    public fun put(name: String, value: Boolean?): Unit = put(name, value?.let(::JsonBoolean))

    /** Add a list that holds something. */
    public fun <T> put(name: String, values: List<T>, item: (T) -> JsonValue) {
        if (values.isNotEmpty()) put(name, JsonArray(values.map(item)))
    }

    /** Add texts by name where there are any. */
    public fun put(name: String, values: Map<String, String>) {
        if (values.isNotEmpty()) put(name, JsonObject(values.mapValues { JsonText(it.value) }))
    }

    public companion object {
        /** Return a whole number. */
        public fun number(value: Long): JsonNumber = JsonNumber(value.toString())

        /** Return a number. */
        public fun number(value: Double): JsonNumber {
            require(!value.isNaN() && !value.isInfinite()) { "$value cannot be written as JSON" }
            return JsonNumber(value.toString())
        }

        /** Return the object whose members `fill` puts. */
        public fun of(fill: Members.() -> Unit): JsonObject = Members().apply(fill).build()
    }
}
