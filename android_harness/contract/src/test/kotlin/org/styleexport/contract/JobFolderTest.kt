package org.styleexport.contract

import java.io.File
import java.nio.file.Files
import kotlin.test.AfterTest
import kotlin.test.BeforeTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.artifact.JobFolder
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.HarnessFact
import org.styleexport.contract.facts.HarnessName
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.MachineFact
import org.styleexport.contract.facts.StateFact
import org.styleexport.contract.facts.ThermalFact
import org.styleexport.contract.facts.ThermalScale
import org.styleexport.contract.measure.ReportBuilder

class JobFolderTest {
    private val root = Files.createTempDirectory("job").toFile()
    private val nonce = "Zm9yLXRoZS1jb250cmFjdA"

    @BeforeTest
    fun push() {
        Fixtures.artifact.copyRecursively(File(root, "artifacts/colour-transfer"))
        File(root, "jobs").mkdirs()
        File(root, "jobs/$nonce.json").writeBytes(Fixtures.bytes("jobs/job.json"))
    }

    @AfterTest
    fun clean() {
        root.deleteRecursively()
    }

    private fun refused(words: String, action: () -> Unit) {
        val error = assertFailsWith<BadArtifact>(words) { action() }
        assertTrue(words in error.message!!, error.message)
    }

    @Test
    fun aJobIsMeasuredAndItsReportLeftWhole() {
        val folder = JobFolder.of(root, "jobs/$nonce.json")
        val job = folder.job()
        val artifact = folder.artifact("artifacts/colour-transfer", job)
        folder.writeProgress("half\ndone")
        assertEquals("half done\n", File(root, "reports/$nonce.progress").readText())
        val device = FakeDevice(artifact, loading = 1000) { cell -> right(cell) { 10_000_000 } }
        val reports = ReportBuilder(
            HarnessFact(HarnessName.ANDROID, "0.1.0"), "a test's clock",
            machine = { MachineFact("Phone", "Android 14 (API 34)", "SoC", 8, 1 shl 30) },
            state = {
                StateFact(thermal = ThermalFact(ThermalScale.ANDROID, 0.0), charging = false)
            },
        )
        folder.writeReport(reports.measure(job, device))
        val path = File(root, "reports/$nonce.json")
        val report = LatencyReport.read(path.readBytes())
        assertEquals(nonce, report.nonce)
        assertEquals(job.command, report.command)
        assertEquals(HarnessName.ANDROID, report.harness.name)
        assertEquals(job.cells.map { it.subject }, report.cells.map { it.subject })
        assertTrue(report.cells.all { it.status == CellStatus.MEASURED })
        assertEquals(job.plan.rounds, report.protocol.rounds)
        assertFalse(File(path.path + ".tmp").exists())
    }

    @Test
    fun namesThatLeadElsewhereAreRefused() {
        val outside = listOf(
            null, "", "jobs/", "jobs/.json", "jobs/short.json", "jobs/../jobs/$nonce.json",
            "/jobs/$nonce.json", "jobs/a/$nonce.json", "jobs/$nonce", "$nonce.json",
        )
        outside.forEach { refused("jobs/<nonce>.json") { JobFolder.of(root, it) } }
        val folder = JobFolder.of(root, "jobs/$nonce.json")
        val job = folder.job()
        val others = listOf(
            "artifacts/..", "artifacts/../jobs", "jobs/x", "artifacts", "/etc", "artifacts/a/b",
        )
        for (path in others) {
            refused("artifacts/<name>") { folder.artifact(path, job) }
        }
        // The link leads into this test's own folder: what deletes that folder follows links.
        val elsewhere = File(root, "elsewhere").apply { mkdirs() }
        Files.createSymbolicLink(File(root, "artifacts/link").toPath(), elsewhere.toPath())
        refused("artifacts/<name>") { folder.artifact("artifacts/link", job) }
    }

    @Test
    fun jobsAndFilesThatDoNotFitAreRefused() {
        val folder = JobFolder.of(root, "jobs/$nonce.json")
        val job = folder.job()
        refused("not an artifact") { folder.artifact("artifacts/none", job) }
        refused("cannot be read") { JobFolder.of(root, "jobs/12345678.json").job() }
        File(root, "jobs/12345678.json").writeBytes(Fixtures.bytes("jobs/job.json"))
        refused("not that of its file name") { JobFolder.of(root, "jobs/12345678.json").job() }
        File(root, "jobs/12345678.json").writeBytes(Fixtures.bytes("jobs/no_cells.json"))
        refused("$.cells") { JobFolder.of(root, "jobs/12345678.json").job() }
        File(root, "artifacts/colour-transfer/${job.cells[0].subject.path}").appendText("x")
        refused("altered") { folder.artifact("artifacts/colour-transfer", job) }
    }

    @Test
    fun whyThereIsNoReportIsLeftInOneLine() {
        JobFolder.of(root, "jobs/$nonce.json").writeError("one\ntwo")
        assertEquals("one two\n", File(root, "reports/$nonce.error").readText())
    }
}
