package org.styleexport.contract.json

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonPrimitive
import com.google.gson.stream.JsonWriter
import org.styleexport.contract.facts.PixelRange

/** Reads the value at a JSON path, or throws [ContractError]. */
internal typealias Read<T> = (value: JsonElement, where: String) -> T

/**
 * Pattern of a text.
 *
 * @property expected what a text that matches is, for messages.
 * @property regex expression that the whole text must match.
 */
internal class TextPattern(val expected: String, val regex: Regex) {
    constructor(expected: String, regex: String) : this(expected, Regex(regex))
}

/** Fields of a JSON object while a struct is read from it. */
internal class Fields private constructor(
    private val members: JsonObject,
    private val where: String,
) {
    private val known = HashSet<String>()

    /** Return the value of a field that must be present. */
    fun <T> required(name: String, read: Read<T>): T {
        val value = take(name) ?: throw ContractError(where, "the field `$name` is missing")
        return read(value, "$where.$name")
    }

    /** Return the value of a field that must be present and may be null. */
    fun <T> nullable(name: String, read: Read<T>): T? = required(name) { value, path ->
        if (value is JsonNull) null else read(value, path)
    }

    /** Return the value of a field; null where it is absent or null. */
    fun <T> optional(name: String, read: Read<T>): T? = when (val value = take(name)) {
        null, JsonNull.INSTANCE -> null
        else -> read(value, "$where.$name")
    }

    /** Return the value of a field; `default` where it is absent. */
    fun <T> optional(name: String, default: T, read: Read<T>): T =
        take(name)?.let { read(it, "$where.$name") } ?: default

    private fun take(name: String): JsonElement? {
        known.add(name)
        return members.get(name)
    }

    companion object {
        /** Return a reader of objects whose unknown fields are refused; `check` sees the struct. */
        fun <T> closed(
            check: (T, where: String) -> Unit = { _, _ -> }, make: Fields.() -> T,
        ): Read<T> = { value, where ->
            val fields = of(value, where)
            val struct = fields.make()
            val unknown = fields.members.keySet().firstOrNull { it !in fields.known }
            if (unknown != null) throw ContractError(where, "the field `$unknown` is unknown")
            struct.also { check(it, where) }
        }

        /** Return a reader of objects whose unknown fields are ignored. */
        fun <T> open(
            check: (T, where: String) -> Unit = { _, _ -> }, make: Fields.() -> T,
        ): Read<T> = { value, where -> of(value, where).make().also { check(it, where) } }

        private fun of(value: JsonElement, where: String): Fields {
            if (value !is JsonObject) throw mismatch("an object", value, where)
            return Fields(value, where)
        }
    }
}

/** Readers of field values. */
internal object Values {
    private val WHOLE = Regex("-?[0-9]+")

    val boolean: Read<Boolean> = { value, where ->
        val flag = (value as? JsonPrimitive)?.takeIf { it.isBoolean }
        flag?.asBoolean ?: throw mismatch("true or false", value, where)
    }

    /** Length of an axis; null for the name of an axis of any length. */
    val axis: Read<Int?> = { value, where ->
        if (value.isNumber) int(Int.MIN_VALUE)(value, where) else text()(value, where).let { null }
    }

    /** Two numbers. */
    val pair: Read<PixelRange> = { value, where ->
        val (low, high) = list(number(), 2, 2)(value, where)
        PixelRange(low.toFloat(), high.toFloat())
    }

    /** A text of at most `max` code points. */
    fun text(pattern: TextPattern? = null, max: Int = Int.MAX_VALUE): Read<String> =
        { value, where ->
            if (value !is JsonPrimitive || !value.isString) throw mismatch("a text", value, where)
            val text = value.asString
            if (text.codePointCount(0, text.length) > max) {
                throw ContractError(where, "a text of more than $max characters")
            }
            if (pattern != null && !pattern.regex.matches(text)) {
                throw ContractError(where, "expected ${pattern.expected}")
            }
            text
        }

    /** A path that does not leave its folder. */
    fun path(pattern: TextPattern): Read<String> = { value, where ->
        val path = text(pattern)(value, where)
        if (".." in path.split('/')) throw ContractError(where, "$path leaves the artifact")
        path
    }

    /** A whole number. */
    fun long(min: Long = Long.MIN_VALUE, max: Long = Long.MAX_VALUE): Read<Long> =
        { value, where ->
            val digits = if (value.isNumber) value.asString else ""
            if (!WHOLE.matches(digits)) throw mismatch("a whole number", value, where)
            val number = digits.toLongOrNull() ?: throw ContractError(where, "$digits is too large")
            if (number < min) throw ContractError(where, "$number is less than $min")
            if (number > max) throw ContractError(where, "$number is more than $max")
            number
        }

    /** A whole number of 32 bits. */
    fun int(min: Int = Int.MIN_VALUE, max: Int = Int.MAX_VALUE): Read<Int> = { value, where ->
        long(min.toLong(), max.toLong())(value, where).toInt()
    }

    /** A number that is always the same. */
    fun constant(expected: Int): Read<Int> = int(expected, expected)

    /** A finite number. */
    fun number(
        min: Double = Double.NEGATIVE_INFINITY, max: Double = Double.POSITIVE_INFINITY,
    ): Read<Double> = { value, where ->
        if (!value.isNumber) throw mismatch("a number", value, where)
        val number = value.asString.toDouble()
        if (number.isInfinite()) throw ContractError(where, "${value.asString} is too large")
        if (number < min) throw ContractError(where, "$number is less than $min")
        if (number > max) throw ContractError(where, "$number is more than $max")
        number
    }

    /** One of the texts that name some values. */
    fun <T> oneOf(values: List<T>, nameOf: (T) -> String): Read<T> = { value, where ->
        val name = text()(value, where)
        values.firstOrNull { nameOf(it) == name } ?: throw ContractError(
            where, "`$name` is not one of ${values.joinToString(", ", transform = nameOf)}",
        )
    }

    /** A list of `min` to `max` values. */
    fun <T> list(item: Read<T>, min: Int = 0, max: Int = Int.MAX_VALUE): Read<List<T>> =
        { value, where ->
            if (value !is JsonArray) throw mismatch("a list", value, where)
            if (value.size() !in min..max) {
                throw ContractError(where, "${value.size()} items, expected $min to $max")
            }
            value.mapIndexed { index, one -> item(one, "$where[$index]") }
        }

    /** At most `max` values by name. */
    fun <T> map(
        item: Read<T>, keyMax: Int = Int.MAX_VALUE, max: Int = Int.MAX_VALUE,
    ): Read<Map<String, T>> = { value, where ->
        if (value !is JsonObject) throw mismatch("an object", value, where)
        if (value.size() > max) throw ContractError(where, "more than $max entries")
        value.entrySet().associate { (name, one) ->
            text(max = keyMax)(JsonPrimitive(name), where) to item(one, "$where[...]")
        }
    }
}

/** Type of a value, for messages. */
internal val JsonElement.kind: String
    get() = when {
        this is JsonObject -> "object"
        this is JsonArray -> "array"
        this is JsonNull -> "null"
        asJsonPrimitive.isString -> "text"
        asJsonPrimitive.isBoolean -> "boolean"
        asString.all { it.isDigit() || it == '-' } -> "whole number"
        else -> "fraction"
    }

internal val JsonElement.isNumber: Boolean get() = (this as? JsonPrimitive)?.isNumber == true

private fun mismatch(expected: String, value: JsonElement, where: String) =
    ContractError(where, "expected $expected, got ${value.kind}")

/** Write a list, each item by `write`. */
internal fun <T> JsonWriter.list(items: List<T>, write: (T) -> Unit) {
    beginArray()
    items.forEach(write)
    endArray()
}

/** Write an object of any names, each value by `write`. */
internal fun <T> JsonWriter.map(entries: Map<String, T>, write: (T) -> Unit) {
    beginObject()
    entries.forEach { (name, value) ->
        name(name)
        write(value)
    }
    endObject()
}
