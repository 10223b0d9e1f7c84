package org.styleexport.contract

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.StrictJson

class JsonTest {
    @Test
    fun whatIsNotJsonIsRefused() {
        val bad = listOf(
            "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "[1 2]", "01", "1.", ".5",
            "+1", "nul", "True", "NULL", "'a'", "\"\u0001\"", "\"a\nb\"", "\"\\x\"", "\"\\'\"",
            "\"\\\n\"", "\"\\u12g4\"", "\"\\u1", "{a:1}", "{\"a\":1;\"b\":2}", "{\"a\"=1}",
            "[] []", "1 2",
            "[,1]", "{\"a\":1,\"a\":2}", "//x\n1", "#x\n1", "/**/1", "NaN", "Infinity", "\uFEFF1",
            ")]}'\n1", "[".repeat(500),
        )
        bad.forEach { text ->
            val bytes = text.toByteArray()
            val error = assertFailsWith<ContractError>(text) { StrictJson.parse(bytes) }
            assertEquals("$", error.where)
        }
        val notUtf8 = byteArrayOf(0x22, -1, 0x22)
        assertFailsWith<ContractError> { StrictJson.parse(notUtf8) }
    }

    @Test
    fun writtenValuesAreReadBack() {
        val text = "grüße \"\\\n\u0001\uD83C\uDFA8 </script>"
        val bytes = StrictJson.write { json ->
            json.beginObject()
            json.name("text").value(text).name("number").value(1.5e-7)
            json.name("whole").value(Long.MAX_VALUE).name("no").value(false)
            json.endObject()
        }
        val read = StrictJson.parse(bytes)
        assertEquals(text, read["text"].text())
        assertEquals(1.5e-7, read["number"].double())
        assertEquals(Long.MAX_VALUE, read["whole"].long())
        assertEquals("false", read["no"].text())
        for (number in listOf(Double.NaN, Double.POSITIVE_INFINITY)) {
            assertFailsWith<IllegalArgumentException> { StrictJson.write { it.value(number) } }
        }
    }

    @Test
    fun numbersKeepTheirDigitsAndEscapesAreRead() {
        for (digits in listOf("1.0", "1e3", "-0", "9223372036854775808", "0.1")) {
            assertEquals(digits, StrictJson.parse(" $digits\n".toByteArray()).text())
        }
        val read = StrictJson.parse("\"\\u00e9\\n\\/\\ud83c\\udfa8\"".toByteArray())
        assertEquals("é\n/\uD83C\uDFA8", read.text())
    }
}
