package org.styleexport.contract

import com.google.gson.JsonObject
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.json.ContractError

class ProbesTest {
    @Test
    fun goodProbesAreReadAndBadOnesNameTheTensor() {
        for (case in Fixtures.index("probes")) {
            val name = case["file"].text()
            if (case["valid"].boolean()) {
                checkTensors(case)
            } else {
                val error = assertFailsWith<ContractError>(name) {
                    SafeTensors.read(Fixtures.bytes("probes/$name"))
                }
                assertEquals(case["where"].text(), error.where, "$name: ${error.message}")
            }
        }
    }

    private fun checkTensors(case: JsonObject) {
        val tensors = SafeTensors.read(Fixtures.bytes("probes/${case["file"].text()}"))
        val expected = case["tensors"].list()
        assertEquals(expected.map { it["name"].text() }.toSet(), tensors.keys)
        for (one in expected) {
            val tensor = tensors.getValue(one["name"].text())
            assertContentEquals(one["shape"].ints(), tensor.shape)
            for (value in one["values"].list()) {
                assertEquals(value["value"].double().toFloat(), tensor.data[value["index"].int()])
            }
        }
    }
}
