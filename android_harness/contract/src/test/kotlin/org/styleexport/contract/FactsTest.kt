package org.styleexport.contract

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonText
import org.styleexport.contract.json.JsonValue

class FactsTest {
    @Test
    fun goodFilesAreReadAndBadOnesNameThePlace() {
        checkAll("manifests", Manifest::read)
        checkAll("reports", LatencyReport::read)
        checkAll("jobs", JobFact::read)
    }

    private fun checkAll(kind: String, read: (ByteArray) -> Any) {
        val cases = Fixtures.index(kind)
        assertTrue(cases.any { it["valid"].boolean() } && cases.any { !it["valid"].boolean() })
        for (case in cases) {
            val name = "$kind/${case["file"].text()}"
            if (case["valid"].boolean()) {
                read(Fixtures.bytes(name))
            } else {
                val error = assertFailsWith<ContractError>(name) { read(Fixtures.bytes(name)) }
                assertEquals(case["where"].text(), error.where, "$name: ${error.message}")
            }
        }
    }

    @Test
    fun manifestsHoldWhatTheIndexSays() {
        for (case in Fixtures.index("manifests").filter { it["valid"].boolean() }) {
            val name = case["file"].text()
            val manifest = Manifest.read(Fixtures.bytes("manifests/$name"))
            assertEquals(case["network"].text(), manifest.network.name, name)
            assertEquals(case["files"].int(), manifest.files.size, name)
            assertEquals(case["probes"].int(), manifest.probes.size, name)
            val styles = manifest.styles.flatMap { it.names }
            assertEquals(case["styles"].list().map { it.text() }, styles, name)
            for ((path, value) in (case["expect"] as JsonObject).members) {
                assertEquals(plain(value), ManifestPaths.deep(manifest, path), "$name $path")
            }
        }
    }

    private fun plain(value: JsonValue): Any = if (value is JsonText) value.text else value.double()

    @Test
    fun aReportIsWrittenAsItIsRead() {
        for (case in Fixtures.index("reports").filter { it["valid"].boolean() }) {
            val report = LatencyReport.read(Fixtures.bytes("reports/${case["file"].text()}"))
            assertEquals(report, LatencyReport.read(report.encoded()))
        }
    }

    @Test
    fun aFileTakesItsOwnSizesOnly() {
        val manifest = Manifest.read(Fixtures.bytes("manifests/adain-lite.json"))
        val file = manifest.files.first()
        val size = file.size!!
        assertTrue(file.takes(size))
        assertTrue(!file.takes(size.copy(height = size.height + 1)))
        assertTrue(!file.copy(sizes = listOf(size.copy(width = 8))).takes(size))
        assertTrue(file.copy(size = null).takes(size))
    }
}
