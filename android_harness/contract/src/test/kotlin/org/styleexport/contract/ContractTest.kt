package org.styleexport.contract

import com.google.gson.JsonElement
import com.google.gson.JsonNull
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.facts.Blending
import org.styleexport.contract.facts.CodeLayoutFact
import org.styleexport.contract.facts.CodePartFact
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.facts.blendingNote
import org.styleexport.contract.facts.takes
import org.styleexport.contract.facts.thumbnails
import org.styleexport.contract.json.ContractError

class ContractTest {
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
            val thumbnails = case["thumbnails"].asJsonObject.entrySet()
            assertEquals(thumbnails.associate { it.key to it.value.text() }, manifest.thumbnails)
            assertEquals(layout(case["code_layout"]), manifest.network.codeLayout, name)
            for ((path, value) in case["expect"].asJsonObject.entrySet()) {
                assertEquals(plain(value), ManifestPaths.deep(manifest, path), "$name $path")
            }
        }
    }

    @Test
    fun ofTwoPacksWithAStyleOfOneNameTheLastCounts() {
        val manifest = Manifest.read(Fixtures.bytes("manifests/colour-transfer.json"))
        val pack = manifest.styles.single()
        val last = pack.copy(names = listOf("dusk"), thumbnails = emptyList())
        val withoutDusk = manifest.copy(styles = listOf(pack, last))
        assertEquals(setOf("sea"), withoutDusk.thumbnails.keys)
        val withBoth = manifest.copy(styles = listOf(last, pack))
        assertEquals(setOf("dusk", "sea"), withBoth.thumbnails.keys)
    }

    private fun layout(value: JsonElement): CodeLayoutFact? {
        if (value is JsonNull) return null
        val parts = value["parts"].list()
            .map { CodePartFact(it["name"].text(), it["shape"].ints()) }
        val blending = Blending.entries.single { it.serialName == value["blending"].text() }
        return CodeLayoutFact(parts, blending, value["reason"].text())
    }

    @Test
    fun whatDoesNotBlendIsSaidWithItsReason() {
        fun note(name: String) =
            Manifest.read(Fixtures.bytes("manifests/$name.json")).network.codeLayout!!.blendingNote
        assertEquals(null, note("code_parts"))
        assertEquals(
            "Codes blend approximately: nobody declared it", note("code_approximate"),
        )
        assertEquals(
            "Codes cannot be blended: each patch takes the nearest patch of one style",
            note("code_unblendable"),
        )
    }

    private fun plain(value: JsonElement): Any =
        if (value.asJsonPrimitive.isString) value.asString else value.double()

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

/** JSON paths of a manifest to what the structs hold there, as far as fixtures ask. */
internal object ManifestPaths {
    private val ITEM = Regex("(\\w+)\\[(\\d+)]\\.(.*)")

    /** Return a text, or a number as a Double. */
    fun deep(manifest: Manifest, path: String): Any = when (val rest = path.removePrefix("$.")) {
        "schema_version" -> Manifest.SCHEMA_VERSION.toDouble()
        "network.min_side" -> manifest.network.minSide.toDouble()
        else -> {
            val (list, index, field) = ITEM.matchEntire(rest)!!.destructured
            when (list) {
                "files" -> file(manifest.files[index.toInt()], field)
                "probes" -> {
                    require(field == "sha256") { "the tests do not know $path" }
                    manifest.probes[index.toInt()].sha256
                }
                else -> error("the tests do not know $path")
            }
        }
    }

    private fun file(file: FileFact, path: String): Any = when {
        path == "precision" -> file.precision.serialName
        path == "size.width" -> file.size!!.width.toDouble()
        path.startsWith("parity") -> file.parity[0].allowedDb
        path.startsWith("inputs[0]") -> tensor(file.inputs[0], path.substringAfter('.'))
        path.startsWith("outputs[0]") -> tensor(file.outputs[0], path.substringAfter('.'))
        else -> error("the tests do not know $path")
    }

    private fun tensor(tensor: TensorFact, path: String): Any = when (path) {
        "layout" -> tensor.layout.serialName
        "name" -> tensor.name
        "pixel_range[1]" -> tensor.pixelRange!!.high.toDouble()
        else -> error("the tests do not know $path")
    }
}
