package org.styleexport.contract

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.JsonWriter
import org.styleexport.contract.json.Members

class JsonTest {
    @Test
    fun whatIsNotJsonIsRefused() {
        val bad = listOf(
            "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "[1 2]", "01", "1.", ".5",
            "+1", "nul", "True", "'a'", "\"\u0001\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u1",
            "{a:1}", "[] []",
            "{\"a\":1,\"a\":2}", "//x\n1", "NaN", "[".repeat(500),
        )
        bad.forEach { text ->
            val error = assertFailsWith<ContractError>(text) { JsonReader.read(text.toByteArray()) }
            assertEquals("$", error.where)
        }
        assertFailsWith<ContractError> { JsonReader.read(byteArrayOf(0x22, -1, 0x22)) }
    }

    @Test
    fun whatIsWrittenIsReadAgain() {
        val text = "grüße \"\\\n\u0001\uD83C\uDFA8"
        val value = Members.of {
            put("text", text)
            put("number", 1.5e-7)
            put("whole", Long.MAX_VALUE)
            put("no", false)
            put("absent", null as String?)
        }
        val bytes = JsonWriter.write(value)
        val read = JsonReader.read(bytes)
        assertEquals(text, read["text"].text())
        assertEquals(1.5e-7, read["number"].double())
        assertEquals(Long.MAX_VALUE, read["whole"].long())
        assertContentEquals(bytes, JsonWriter.write(read))
        assertFailsWith<IllegalArgumentException> { Members.number(Double.NaN) }
    }

    @Test
    fun escapesAreRead() {
        val read = JsonReader.read("\"\\u00e9\\n\\/\\ud83c\\udfa8\"".toByteArray())
        assertEquals("é\n/\uD83C\uDFA8", read.text())
    }
}
