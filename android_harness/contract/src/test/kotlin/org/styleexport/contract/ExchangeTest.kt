package org.styleexport.contract

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import org.junit.Assume.assumeTrue
import org.styleexport.contract.artifact.AtomicFile
import org.styleexport.contract.facts.LatencyReport

/**
 * Reports in the exchange folder: every language writes one and reads those of the others.
 *
 * The environment variable STYLEEXPORT_CONTRACT_EXCHANGE names the folder, which has a folder per
 * language.
 */
class ExchangeTest {
    private val folder = System.getenv("STYLEEXPORT_CONTRACT_EXCHANGE")?.let(::File)

    private val fixture get() = LatencyReport.read(Fixtures.bytes("reports/phone.json"))

    @Test
    fun aReportIsWrittenForTheOtherLanguages() {
        assumeTrue(folder != null)
        AtomicFile.write(File(folder, "kotlin/report.json"), fixture.encoded())
    }

    @Test
    fun reportsOfTheOtherLanguagesAreRead() {
        assumeTrue(folder != null)
        for (language in folder!!.list().orEmpty()) {
            val file = File(folder, "$language/report.json")
            if (!file.isFile) continue
            val report = LatencyReport.read(file.readBytes())
            assertEquals(fixture.cells, report.cells, language)
            assertEquals(fixture.machine, report.machine, language)
        }
    }
}
