package org.styleexport.contract.json

/** Writes JSON, one space a level, as the desktop does. */
public object JsonWriter {
    /** Return a value as text in UTF-8, ending in a newline. */
    public fun write(value: JsonValue): ByteArray {
        val out = StringBuilder()
        append(out, value, 1)
        return out.append('\n').toString().toByteArray(Charsets.UTF_8)
    }

    private fun append(out: StringBuilder, value: JsonValue, depth: Int) {
        when (value) {
            is JsonObject -> list(out, '{', '}', value.members.entries, depth) { (name, member) ->
                quote(out, name)
                out.append(": ")
                append(out, member, depth + 1)
            }
            is JsonArray -> list(out, '[', ']', value.values, depth) { append(out, it, depth + 1) }
            is JsonText -> quote(out, value.text)
            is JsonNumber -> out.append(value.digits)
            is JsonBoolean -> out.append(value.value)
            JsonNull -> out.append("null")
        }
    }

    private inline fun <T> list(
        out: StringBuilder, opening: Char, closing: Char, items: Collection<T>, depth: Int,
        item: (T) -> Unit,
    ) {
        out.append(opening)
        items.forEachIndexed { index, value ->
            if (index > 0) out.append(',')
            line(out, depth)
            item(value)
        }
        if (items.isNotEmpty()) line(out, depth - 1)
        out.append(closing)
    }

    private fun line(out: StringBuilder, depth: Int) {
        out.append('\n')
        repeat(depth) { out.append(' ') }
    }

    private fun quote(out: StringBuilder, text: String) {
        out.append('"')
        for (letter in text) {
            when {
                letter == '"' || letter == '\\' -> out.append('\\').append(letter)
                letter < ' ' -> out.append("\\u").append(letter.code.toString(16).padStart(4, '0'))
                else -> out.append(letter)
            }
        }
        out.append('"')
    }
}
