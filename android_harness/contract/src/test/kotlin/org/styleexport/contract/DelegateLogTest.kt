package org.styleexport.contract

import kotlin.test.Test
import kotlin.test.assertEquals
import org.styleexport.contract.measure.DelegateLog

class DelegateLogTest {
    private fun line(taken: Int, whole: Int, delegate: String) =
        "11-21 20:40:00.000 V/tflite: Replacing $taken out of $whole node(s) with delegate " +
            "($delegate) node, yielding 2 partitions for subgraph 0."

    @Test
    fun sharesAreOfTheWholeFile() {
        val lines = sequenceOf("other", line(30, 40, "Gpu"), line(5, 10, "Xnnpack"))
        assertEquals(mapOf("Gpu" to 0.75, "Xnnpack" to 0.125), DelegateLog.shares(lines))
    }

    @Test
    fun aLogThatDoesNotTellSaysNothing() {
        assertEquals(emptyMap(), DelegateLog.shares(sequenceOf("INFO: Created delegate")))
    }

    @Test
    fun namesOfDelegatesMayHoldSpaces() {
        val lines = sequenceOf(line(4, 4, "ML Drift: OpenCL"))
        assertEquals(mapOf("ML Drift: OpenCL" to 1.0), DelegateLog.shares(lines))
    }

    @Test
    fun refusedOperationsAreReadFromTheLog() {
        val texts = listOf(
            "Created a GPU environment.",
            "Following operations are not supported by GPU delegate:",
            "GATHER_ND: Not supported op GATHER_ND",
            "SLICE: Output batch don't match",
            "",
            "164 operations will run on the GPU, and the remaining 2 operations will run on the " +
                "CPU.",
            "TRANSPOSE: of another message",
        )
        val expected =
            listOf("GATHER_ND: Not supported op GATHER_ND", "SLICE: Output batch don't match")
        val long = "12-01 13:24:02.000  1234  1250 E tflite  : "
        for (prefix in listOf(long, "E/tflite  ( 1234): ", "")) {
            assertEquals(expected, DelegateLog.refused(texts.map { prefix + it }.asSequence()))
        }
        assertEquals(emptyList(), DelegateLog.refused(texts.take(1).asSequence()))
    }

    @Test
    fun placesInTheSourceAreNoReason() {
        val place = "ERROR: [./litert/cc/litert_compiled_model.h:1961]"
        val text = "Some ops are not accelerated. Add the CPU."
        assertEquals(text, DelegateLog.reason("$place\n\u2514 $text"))
        assertEquals(text, DelegateLog.reason(text))
        assertEquals(null, DelegateLog.reason(place))
    }
}
