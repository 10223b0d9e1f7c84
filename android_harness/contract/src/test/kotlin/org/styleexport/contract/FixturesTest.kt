package org.styleexport.contract

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import org.styleexport.contract.artifact.Digest

class FixturesTest {
    @Test
    fun everyFixtureIsListedWithItsHash() {
        val listed = Fixtures.json("index.json").list().associate {
            it["file"].text() to it["sha256"].text()
        }
        val present = Fixtures.folder.walkTopDown()
            .onEnter { it.name != "__pycache__" }
            .filter { it.isFile && it.extension !in listOf("md", "py", "pyc") }
            .filter { it != File(Fixtures.folder, "index.json") }
            .associate { it.relativeTo(Fixtures.folder).invariantSeparatorsPath to Digest.of(it) }
        val different = (listed.keys + present.keys).filter { listed[it] != present[it] }
        assertEquals(emptyList(), different.sorted(), "altered, missing or not listed")
    }
}
