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
}
