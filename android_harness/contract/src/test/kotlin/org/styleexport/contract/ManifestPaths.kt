package org.styleexport.contract

import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.TensorFact

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
        path == "precision" -> file.precision.text
        path == "size.width" -> file.size!!.width.toDouble()
        path.startsWith("parity") -> file.parity[0].allowedDb
        path.startsWith("inputs[0]") -> tensor(file.inputs[0], path.substringAfter('.'))
        path.startsWith("outputs[0]") -> tensor(file.outputs[0], path.substringAfter('.'))
        else -> error("the tests do not know $path")
    }

    private fun tensor(tensor: TensorFact, path: String): Any = when (path) {
        "layout" -> tensor.layout.text
        "name" -> tensor.name
        "pixel_range[1]" -> tensor.pixelRange!!.high.toDouble()
        else -> error("the tests do not know $path")
    }
}
