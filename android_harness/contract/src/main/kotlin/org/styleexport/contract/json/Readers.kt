package org.styleexport.contract.json

/** What fields may hold, each refused with its JSON path where it holds something else. */
internal object Readers {
    private const val LONGEST_TEXT = 400
    private const val MOST_FACTS = 100
    private const val MOST_NANOSECONDS = 1_000_000_000_000_000L
    private const val MOST_COUNT = 1L shl 62
    private val SHA256 = Regex("[0-9a-f]{64}")
    private val PATH = Regex("[A-Za-z0-9_.][A-Za-z0-9_.\\-]*(/[A-Za-z0-9_.][A-Za-z0-9_.\\-]*)*")

    /** A text of any length. */
    val text: Read<String> = { value, where ->
        (value as? JsonText)?.text ?: throw wrong("a text", value, where)
    }

    /** A few words, never a page. */
    val words: Read<String> = { value, where ->
        val found = text(value, where)
        if (found.codePointCount(0, found.length) > LONGEST_TEXT) {
            throw ContractError(where, "a text of more than $LONGEST_TEXT characters")
        }
        found
    }

    /** A sha256 in hexadecimal. */
    val sha256: Read<String> = matching(SHA256, "64 hexadecimal digits")

    /** A path below a folder, with forward slashes, that does not leave it. */
    val path: Read<String> = { value, where ->
        val found = matching(PATH, "a path below the artifact")(value, where)
        if (".." in found.split('/')) throw ContractError(where, "$found leaves the artifact")
        found
    }

    /** Any whole number of 64 bits. */
    val whole: Read<Long> = { value, where ->
        val number = value as? JsonNumber ?: throw wrong("a whole number", value, where)
        if (!number.isWhole) throw wrong("a whole number", value, where)
        number.digits.toLongOrNull() ?: throw ContractError(where, "${number.digits} is too large")
    }

    /** A whole number from 0. */
    val count: Read<Long> = whole(0, MOST_COUNT)

    /** Monotonic nanoseconds. */
    val nanoseconds: Read<Long> = whole(0, MOST_NANOSECONDS)

    /** A number. */
    val number: Read<Double> = { value, where ->
        val number = value as? JsonNumber ?: throw wrong("a number", value, where)
        val found = number.digits.toDouble()
        if (found.isInfinite()) throw ContractError(where, "${number.digits} is too large")
        found
    }

    /** True or false. */
    val boolean: Read<Boolean> = { value, where ->
        (value as? JsonBoolean)?.value ?: throw wrong("true or false", value, where)
    }

    /** Words by name. */
    val facts: Read<Map<String, String>> = { value, where ->
        val found = map(words)(value, where)
        if (found.size > MOST_FACTS) throw ContractError(where, "more than $MOST_FACTS entries")
        found.keys.forEach { words(JsonText(it), where) }
        found
    }

    /** A whole number within bounds. */
    fun whole(least: Long, most: Long): Read<Long> = { value, where ->
        val found = whole(value, where)
        if (found < least) throw ContractError(where, "$found is less than $least")
        if (found > most) throw ContractError(where, "$found is more than $most")
        found
    }

    /** The same, as an Int. */
    fun int(least: Int, most: Int = Int.MAX_VALUE): Read<Int> = { value, where ->
        whole(least.toLong(), most.toLong())(value, where).toInt()
    }

    /** A number from a bound on. */
    fun number(least: Double): Read<Double> = { value, where ->
        val found = number(value, where)
        if (found < least) throw ContractError(where, "$found is less than $least")
        found
    }

    /** A text that matches as a whole. */
    fun matching(pattern: Regex, expected: String, longest: Int = Int.MAX_VALUE): Read<String> =
        { value, where ->
            val found = text(value, where)
            if (found.length > longest) throw ContractError(where, "more than $longest characters")
            if (!pattern.matches(found)) throw ContractError(where, "expected $expected")
            found
        }

    /** One of the texts that some values have. */
    fun <T> oneOf(values: List<T>, textOf: (T) -> String): Read<T> = { value, where ->
        val found = text(value, where)
        values.firstOrNull { textOf(it) == found } ?: throw ContractError(
            where, "`$found` is not one of ${values.joinToString(", ", transform = textOf)}",
        )
    }

    /** A list of values of one kind. */
    fun <T> list(item: Read<T>, least: Int = 0, most: Int = Int.MAX_VALUE): Read<List<T>> =
        { value, where ->
            val values = (value as? JsonArray)?.values ?: throw wrong("a list", value, where)
            if (values.size !in least..most) {
                throw ContractError(where, "${values.size} items, expected $least to $most")
            }
            values.mapIndexed { index, one -> item(one, "$where[$index]") }
        }

    /** Values of one kind by name. */
    fun <T> map(item: Read<T>): Read<Map<String, T>> = { value, where ->
        val members = (value as? JsonObject)?.members ?: throw wrong("an object", value, where)
        members.mapValues { (_, one) -> item(one, "$where[...]") }
    }

    private fun wrong(expected: String, found: JsonValue, where: String) =
        ContractError(where, "expected $expected, got ${found.kind}")
}
