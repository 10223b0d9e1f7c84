package org.styleexport.contract.json

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** Reads JSON by the letter of RFC 8259: no comments, no trailing commas, no name twice. */
public class JsonReader private constructor(private val text: String) {
    private var at = 0

    private fun whole(): JsonValue {
        val value = value(0)
        skipSpace()
        if (at < text.length) throw broken("something follows the value")
        return value
    }

    private fun value(depth: Int): JsonValue {
        if (depth > DEEPEST) throw broken("nested deeper than $DEEPEST levels")
        skipSpace()
        return when (peek()) {
            '{' -> members(depth)
            '[' -> values(depth)
            '"' -> JsonText(string())
            't' -> JsonBoolean(true).also { word("true") }
            'f' -> JsonBoolean(false).also { word("false") }
            'n' -> JsonNull.also { word("null") }
            else -> number()
        }
    }

    private fun members(depth: Int): JsonObject {
        val members = LinkedHashMap<String, JsonValue>()
        each('}') {
            if (peek() != '"') throw broken("expected a name")
            val name = string()
            skipSpace()
            take(':')
            if (members.put(name, value(depth + 1)) != null) throw broken("`$name` stands twice")
        }
        return JsonObject(members)
    }

    private fun values(depth: Int): JsonArray {
        val values = ArrayList<JsonValue>()
        each(']') { values.add(value(depth + 1)) }
        return JsonArray(values)
    }

    /** Read what stands between brackets, parted by commas. */
    private inline fun each(closing: Char, read: () -> Unit) {
        at += 1
        skipSpace()
        if (peek() == closing) {
            at += 1
            return
        }
        while (true) {
            skipSpace()
            read()
            skipSpace()
            if (peek() == closing) break
            take(',')
        }
        at += 1
    }

    private fun string(): String {
        at += 1
        val out = StringBuilder()
        while (true) {
            val letter = peek()
            at += 1
            when {
                letter == '"' -> return out.toString()
                letter == '\\' -> out.append(escaped())
                letter < ' ' -> throw broken("a control character in a text")
                else -> out.append(letter)
            }
        }
    }

    private fun escaped(): Char {
        val letter = peek()
        at += 1
        return when (letter) {
            '"', '\\', '/' -> letter
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> unicode()
            else -> throw broken("an unknown escape")
        }
    }

    private fun unicode(): Char {
        val digits = text.substring(at, minOf(at + 4, text.length))
        if (!HEXADECIMAL.matches(digits)) throw broken("an unknown escape")
        at += 4
        return digits.toInt(16).toChar()
    }

    private fun number(): JsonNumber {
        val match = NUMBER.find(text, at)
        if (match == null || match.range.first != at) throw broken("expected a value")
        at = match.range.last + 1
        return JsonNumber(match.value)
    }

    private fun word(expected: String) {
        if (!text.startsWith(expected, at)) throw broken("expected $expected")
        at += expected.length
    }

    private fun take(expected: Char) {
        if (peek() != expected) throw broken("expected `$expected`")
        at += 1
    }

    private fun peek(): Char = if (at < text.length) text[at] else throw broken("cut off")

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at += 1
    }

    private fun broken(reason: String) =
        ContractError(ContractError.WHOLE, "not JSON: $reason, at character $at")

    public companion object {
        private const val DEEPEST = 100
        private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
        private val HEXADECIMAL = Regex("[0-9a-fA-F]{4}")

        /**
         * Return the value that a text in UTF-8 holds.
         *
         * @throws ContractError it is not JSON.
         */
        public fun read(bytes: ByteArray): JsonValue {
            val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
            val text = try {
                decoder.decode(ByteBuffer.wrap(bytes)).toString()
            } catch (error: CharacterCodingException) {
                throw ContractError(ContractError.WHOLE, "not JSON: not UTF-8", error)
            }
            return JsonReader(text).whole()
        }
    }
}
