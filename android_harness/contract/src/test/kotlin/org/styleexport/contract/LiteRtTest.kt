package org.styleexport.contract

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.GpuPrecision
import org.styleexport.contract.measure.LiteRtApi
import org.styleexport.contract.measure.LiteRtApis
import org.styleexport.contract.measure.LiteRtRequest
import org.styleexport.contract.measure.LiteRtRoute
import org.styleexport.contract.measure.LocalJob
import org.styleexport.contract.measure.Session

class LiteRtTest {
    private val artifact = Artifact.open(Fixtures.artifact)
    private val cell: JobCell = LocalJob.of(
        artifact, artifact.files(listOf(".tflite")), emptyMap(), PlanFact(), "0", "01234567",
    ).cells.first()

    /** APIs whose sessions report what they were opened with; `refusal` is CompiledModel's. */
    private class FakeApis(
        private val request: LiteRtRequest, private val refusal: String?,
    ) : LiteRtApis {
        override fun compiledModel(): Session {
            if (refusal != null) throw EngineUnavailable(refusal)
            return session(LiteRtApi.COMPILED_MODEL, null)
        }

        override fun interpreter(fallback: String?): Session =
            session(LiteRtApi.INTERPRETER, fallback)

        private fun session(api: LiteRtApi, fallback: String?): Session {
            val session = FakeSession(emptyMap(), {}, { 100 })
            return object : Session by session {
                override val effective = request.effective(api, 2, fallback)
            }
        }
    }

    private fun opened(
        requested: Map<String, String>, refusal: String? = null, cell: JobCell = this.cell,
    ): Map<String, String> {
        val request = LiteRtRequest.of(requested)
        return LiteRtRoute.open(request, cell, FakeApis(request, refusal)).effective
    }

    private fun refused(requested: Map<String, String>, refusal: String? = null): String =
        assertFailsWith<EngineUnavailable> { opened(requested, refusal) }.message!!

    @Test
    fun compiledModelRunsOnTheCpu() {
        for (delegate in listOf("cpu", "xnnpack")) {
            assertEquals(
                mapOf(
                    "engine" to "litert", "api" to "compiled_model", "delegate" to "xnnpack",
                    "threads" to "2", "fp16" to "off",
                ),
                opened(mapOf("delegate" to delegate)),
            )
        }
        assertEquals("compiled_model", opened(emptyMap())["api"])
        assertEquals("compiled_model", opened(mapOf("api" to "auto"))["api"])
    }

    @Test
    fun thePrecisionOfTheGpuIsReported() {
        val expected = mapOf(
            null to ("fp16" to "on"), "fp16" to ("fp16" to "on"), "fp32" to ("fp32" to "off"),
            "fp16-fp32-sums" to ("fp16-fp32-sums" to "on"),
        )
        for ((requested, reported) in expected) {
            val precision = requested?.let { mapOf("precision" to it) }.orEmpty()
            val effective = opened(mapOf("delegate" to "gpu") + precision)
            assertEquals("gpu", effective["delegate"])
            assertEquals(reported, effective["precision"] to effective["fp16"])
            assertNull(effective["threads"])
        }
        assertEquals(GpuPrecision.FP16, LiteRtRequest.of(mapOf("delegate" to "gpu")).precision)
    }

    @Test
    fun theInterpreterReplacesCompiledModelOnTheCpuAndTheReasonIsReported() {
        assertEquals("interpreter", opened(mapOf("api" to "auto"), "broken")["api"])
        val effective = opened(mapOf("delegate" to "xnnpack"), "no liblitert_jni.so\nmore")
        assertEquals("interpreter", effective["api"])
        assertEquals("xnnpack", effective["delegate"])
        assertEquals("no liblitert_jni.so", effective["fallback"])
        val float16 = cell.copy(outputs = cell.outputs.map { it.copy(dtype = ElementType.FLOAT16) })
        val other = opened(emptyMap(), cell = float16)
        assertEquals("interpreter", other["api"])
        assertTrue("is float16" in other.getValue("fallback"), "$other")
    }

    @Test
    fun nothingReplacesTheGpu() {
        assertEquals("not this file", refused(mapOf("delegate" to "gpu"), "not this file"))
        val float16 = cell.copy(inputs = cell.inputs.map { it.copy(dtype = ElementType.FLOAT16) })
        val request = LiteRtRequest.of(mapOf("delegate" to "gpu"))
        assertFailsWith<EngineUnavailable> {
            LiteRtRoute.open(request, float16, FakeApis(request, null))
        }
    }

    @Test
    fun aRequestedApiIsNotReplaced() {
        assertEquals("broken", refused(mapOf("api" to "compiled_model"), "broken"))
        val effective = opened(mapOf("api" to "interpreter"), "broken")
        assertEquals("interpreter", effective["api"])
        assertNull(effective["fallback"])
    }

    @Test
    fun settingsThatLiteRtCannotHonourAreRefused() {
        val cases = mapOf(
            mapOf("delegate" to "nnapi") to "LiteRT 2 has no NNAPI delegate",
            mapOf("delegate" to "gpu", "api" to "interpreter") to "runs on the CPU alone",
            mapOf("delegate" to "cpu", "precision" to "fp16") to
                "precision is a setting of the gpu",
            mapOf("delegate" to "gpu", "precision" to "fp8") to
                "no precision fp8: expected fp16, fp16-fp32-sums, fp32",
            mapOf("api" to "x") to "no api x: expected compiled_model, interpreter",
            mapOf("delegate" to "x") to "no delegate x: expected cpu, xnnpack, gpu, nnapi",
        )
        for ((requested, expected) in cases) {
            assertTrue(expected in refused(requested), refused(requested))
        }
    }

    @Test
    fun otherRuntimesRefuseTheSettingsOfLiteRt() {
        LiteRtRequest.refuseIn(mapOf(DelegateKind.SETTING to "nnapi"))
        for (key in listOf("api", "precision")) {
            val error = assertFailsWith<EngineUnavailable> {
                LiteRtRequest.refuseIn(mapOf(key to "fp32"))
            }
            assertEquals("$key is a setting of .tflite files", error.message)
        }
    }
}
