package org.styleexport.contract.json

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonPrimitive
import com.google.gson.ToNumberPolicy
import com.google.gson.stream.JsonReader
import com.google.gson.stream.JsonToken
import com.google.gson.stream.JsonWriter
import java.io.IOException
import java.io.StringReader
import java.io.StringWriter
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/**
 * Documents in JSON, read by the letter of RFC 8259: Gson's reader, and what it lets pass.
 *
 * Gson takes the last of two members of one name, `True` for `true`, control characters in a
 * string, the escape `\'` and a byte order mark. The other languages of the contract refuse those.
 */
internal object StrictJson {
    private const val MAX_DEPTH = 100
    private const val ESCAPES = "\"\\/bfnrtu"

    /**
     * Return the document that bytes in UTF-8 hold.
     *
     * @param version schema version to expect; it is compared before any other field.
     * @param remedy what to do about another version.
     * @throws ContractError the bytes are not JSON, of another version, or refused by `read`.
     */
    fun <T> read(bytes: ByteArray, version: Int, remedy: String, read: Read<T>): T {
        val document = parse(bytes)
        val stated = (document as? JsonObject)?.get("schema_version")
        if (stated != null && (!stated.isNumber || stated.asString != version.toString())) {
            val got = if (stated.isNumber) stated.asString else "in ${stated.kind}"
            throw ContractError(
                "${ContractError.WHOLE}.schema_version",
                "schema version $got, expected $version: $remedy",
            )
        }
        return read(document, ContractError.WHOLE)
    }

    /**
     * Return the value that bytes in UTF-8 hold; numbers keep their digits.
     *
     * @throws ContractError the bytes are not JSON.
     */
    fun parse(bytes: ByteArray): JsonElement {
        val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
        val text = try {
            decoder.decode(ByteBuffer.wrap(bytes)).toString()
        } catch (error: CharacterCodingException) {
            throw malformed("not UTF-8", error)
        }
        refuseLenience(text)
        val reader = JsonReader(StringReader(text))
        return try {
            element(reader, 0).also {
                if (reader.peek() != JsonToken.END_DOCUMENT) throw malformed("two values")
            }
        } catch (error: IOException) {
            throw malformed("malformed or cut off near ${reader.path}", error)
        } catch (error: NumberFormatException) {
            throw malformed("bad escape near ${reader.path}", error)
        }
    }

    /** Return what `fill` writes as indented UTF-8, ending in a newline. */
    fun write(fill: (JsonWriter) -> Unit): ByteArray {
        val text = StringWriter()
        JsonWriter(text).use { json ->
            json.setIndent(" ")
            fill(json)
        }
        return text.append('\n').toString().toByteArray(Charsets.UTF_8)
    }

    private fun element(reader: JsonReader, depth: Int): JsonElement {
        if (depth > MAX_DEPTH) throw malformed("nested deeper than $MAX_DEPTH levels")
        return when (reader.peek()) {
            JsonToken.BEGIN_OBJECT -> members(reader, depth + 1)
            JsonToken.BEGIN_ARRAY -> JsonArray().also { array ->
                reader.beginArray()
                while (reader.hasNext()) array.add(element(reader, depth + 1))
                reader.endArray()
            }
            JsonToken.STRING -> JsonPrimitive(reader.nextString())
            JsonToken.NUMBER ->
                JsonPrimitive(ToNumberPolicy.LAZILY_PARSED_NUMBER.readNumber(reader))
            JsonToken.BOOLEAN -> JsonPrimitive(reader.nextBoolean())
            else -> JsonNull.INSTANCE.also { reader.nextNull() }
        }
    }

    private fun members(reader: JsonReader, depth: Int): JsonObject {
        val members = JsonObject()
        reader.beginObject()
        while (reader.hasNext()) {
            val name = reader.nextName()
            if (members.has(name)) throw malformed("the field `$name` appears twice")
            members.add(name, element(reader, depth))
        }
        reader.endObject()
        return members
    }

    private fun refuseLenience(text: String) {
        var isString = false
        var index = 0
        while (index < text.length) {
            val letter = text[index]
            when {
                isString && letter == '\\' -> {
                    index += 1
                    if (text.getOrElse(index) { 'u' } !in ESCAPES) throw malformed("bad escape")
                }
                letter == '"' -> isString = !isString
                isString && letter < ' ' -> throw malformed("control character in a string")
                // Outside strings a capital can only be the exponent of a number.
                !isString && (letter in 'A'..'Z' && letter != 'E' || letter == '\uFEFF') ->
                    throw malformed("`$letter` outside a string")
            }
            index += 1
        }
    }

    private fun malformed(reason: String, cause: Throwable? = null) =
        ContractError(ContractError.WHOLE, "not JSON: $reason", cause)
}
