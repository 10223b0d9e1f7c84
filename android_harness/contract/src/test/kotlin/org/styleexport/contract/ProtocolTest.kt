package org.styleexport.contract

import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.measure.Cancelled
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.LocalJob
import org.styleexport.contract.measure.ProcessMemory
import org.styleexport.contract.measure.Protocol
import org.styleexport.contract.measure.Session
import org.styleexport.contract.measure.WarmUp

class ProtocolTest {
    private val artifact = Artifact.open(Fixtures.artifact)
    private val plan = PlanFact(
        rounds = 3, seconds = 0.0, minSamples = 4, settlingRuns = 2, window = 2,
        tolerance = 0.03, warmUpLeastSeconds = 0.0, warmUpSeconds = 1e-3, seed = 7,
    )
    private val jobCells = LocalJob.of(
        artifact, artifact.files(listOf(".onnx", ".tflite")), mapOf("delegate" to "gpu"), plan,
        "0", "01234567",
    ).cells

    private fun measured(device: FakeDevice, cells: List<JobCell> = jobCells): List<CellFact> =
        Protocol(plan, device, "android").measure(cells)

    /** Return the result of the second cell, whose sessions `make` returns. */
    private fun second(make: FakeDevice.(JobCell) -> Session): CellFact {
        val device = FakeDevice(artifact) { if (it == jobCells[1]) make(it) else right(it) }
        val cells = measured(device)
        assertEquals(jobCells.map { it.subject }, cells.map { it.subject })
        assertTrue(device.opened.all { it.isClosed })
        assertTrue((cells - cells[1]).all { it.status == CellStatus.MEASURED })
        return cells[1]
    }

    private fun assertNoSamples(cell: CellFact) {
        assertTrue(cell.roundsNs.isEmpty() && cell.preNs.isEmpty() && cell.postNs.isEmpty())
        assertTrue(cell.warmUpNs.isEmpty())
        assertNull(cell.firstNs)
    }

    @Test
    fun aCellIsProvenWarmedAndTimed() {
        assertEquals(4, jobCells.size)
        val device = FakeDevice(artifact) { right(it) { run -> if (run == 1) 900 else 100 } }
        val cell = measured(device).first()
        assertEquals(CellStatus.MEASURED, cell.status)
        assertEquals("android", cell.runner)
        assertEquals(mapOf("delegate" to "gpu"), cell.requested)
        assertEquals("fake", cell.effective["engine"])
        assertEquals(listOf(1000L, 1000L), cell.loadsNs)
        assertEquals(7L, cell.compileNs)
        assertEquals(900L, cell.firstNs)
        assertEquals(List(4) { 100L }, cell.warmUpNs)
        assertEquals(List(3) { List(4) { 100L } }, cell.roundsNs)
        assertEquals(List(12) { FakeSession.FEEDING }, cell.preNs)
        assertEquals(List(12) { FakeSession.FETCHING }, cell.postNs)
        assertEquals(200.0, cell.parity?.measuredDb)
        assertEquals(1, cell.parity?.probes)
        assertEquals(mapOf("cpu" to 1.0), cell.placement)
        // 1 for the probe, 4 for warm-up, and 2 settling runs and 4 samples in each of 3 rounds.
        assertEquals(1 + 4 + 3 * 6, device.opened[1].runs)
    }

    @Test
    fun aWrongFileGetsNoSamples() {
        val cell = second { cell ->
            val output = probe(cell).mapValues { (_, it) ->
                Tensor(it.shape, FloatArray(it.data.size) { index -> it.data[index] + 0.1f })
            }
            FakeSession(output, ::tick) { 100 }
        }
        assertEquals(CellStatus.WRONG, cell.status)
        assertTrue(cell.parity!!.measuredDb < 25)
        assertTrue("dB measured" in cell.message, cell.message)
        assertNoSamples(cell)
    }

    @Test
    fun whatIsNotANumberIsWrong() {
        val cell = second { cell ->
            val output = probe(cell).mapValues { (_, it) ->
                Tensor(it.shape, FloatArray(it.data.size) { Float.NaN })
            }
            FakeSession(output, ::tick) { 100 }
        }
        assertEquals(CellStatus.WRONG, cell.status)
        assertEquals(0.0, cell.parity?.measuredDb)
    }

    @Test
    fun whatGoesWrongIsSaidOfItsOwnCellAlone() {
        val cases = mapOf<Throwable, Pair<CellStatus, String>>(
            EngineUnavailable("no OpenCL here") to (CellStatus.UNAVAILABLE to "no OpenCL here"),
            UnsatisfiedLinkError("libx.so") to
                (CellStatus.UNAVAILABLE to "not in this app: libx.so"),
            OutOfMemoryError("heap") to (CellStatus.OUT_OF_MEMORY to "heap"),
            RuntimeException("Failed to allocate 8 MB") to (CellStatus.OUT_OF_MEMORY to "allocate"),
            IllegalStateException("node 3\nsecond line") to (CellStatus.FAILED to "node 3"),
            IllegalStateException() to (CellStatus.FAILED to "IllegalStateException"),
        )
        for ((error, expected) in cases) {
            val cell = second { throw error }
            assertEquals(expected.first, cell.status)
            assertTrue(expected.second in cell.message, cell.message)
            assertTrue('\n' !in cell.message)
            assertNoSamples(cell)
        }
    }

    @Test
    fun aFileThatBreaksInARoundLosesItsSamples() {
        val cell = second { cell -> right(cell) { run -> if (run < 12) 100 else error("lost") } }
        assertEquals(CellStatus.FAILED, cell.status)
        assertEquals("lost", cell.message)
        assertNoSamples(cell)
    }

    @Test
    fun roundsHaveAnOrderOfTheirOwn() {
        val device = FakeDevice(artifact) { cell -> right(cell) }
        measured(device)
        val orders = device.lines.filter { it.startsWith("round ") }
            .groupBy({ it.substringBefore(':') }, { it.substringAfter(": ") })
        assertEquals(3, orders.size)
        val paths = jobCells.map { it.subject.path }.toSet()
        assertTrue(orders.values.all { it.size == 4 && it.toSet() == paths })
        assertTrue(orders.values.toSet().size > 1, "$orders")
    }

    @Test
    fun whoCancelsGetsNoReportAndEverythingIsClosed() {
        val device = FakeDevice(artifact) { cell -> right(cell) }
        device.cancelAfter = 7
        assertFailsWith<Cancelled> { measured(device) }
        assertTrue(device.opened.isNotEmpty() && device.opened.all { it.isClosed })
    }

    @Test
    fun memoryIsToldWhereItIsKnownToBeTheCells() {
        val folder = Files.createTempDirectory("proc").toFile()
        try {
            File(folder, "status").writeText("Name:\tx\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\n")
            val cells = measured(FakeDevice(artifact, ProcessMemory(folder)) { right(it) })
            assertEquals(List<Long?>(4) { 300L * 1024 }, cells.map { it.peakRssBytes })
            assertEquals(200L * 1024, cells[3].idleRssBytes)
            File(folder, "clear_refs").let { it.delete(); it.mkdir() }
            val others = measured(FakeDevice(artifact, ProcessMemory(folder)) { right(it) })
            val peaks = others.map { it.peakRssBytes }
            assertEquals(listOf<Long?>(300 * 1024, null, null, null), peaks)
        } finally {
            folder.deleteRecursively()
        }
    }

    @Test
    fun theRunnerIsTheWishesOrTheDevices() {
        val cells = listOf(jobCells[0].copy(runner = "x")) + jobCells.drop(1)
        val results = measured(FakeDevice(artifact) { right(it) }, cells)
        assertEquals(listOf("x", "android", "android", "android"), results.map { it.runner })
        assertEquals("x", results[0].parity?.runner)
    }

    @Test
    fun theRuleOfTheWarmUpReadsAsTheDesktopsDoes() {
        assertEquals(
            "until the median of 5 runs is within 3% of that of the 5 before, at least 0.3 s, " +
                "at most 10 s",
            WarmUp.description(PlanFact()),
        )
        assertNotNull(artifact)
    }
}
