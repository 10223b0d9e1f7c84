package org.styleexport.contract

import java.io.File
import org.styleexport.contract.json.JsonArray
import org.styleexport.contract.json.JsonBoolean
import org.styleexport.contract.json.JsonNull
import org.styleexport.contract.json.JsonNumber
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.JsonText
import org.styleexport.contract.json.JsonValue

/**
 * The fixtures that all languages read: `tests/contract`, above where the tests run, or where the
 * property `contract.fixtures` says. They are never written to.
 */
internal object Fixtures {
    private const val INDEX = "index.json"

    val folder: File = System.getProperty("contract.fixtures")?.let(::File)
        ?: generateSequence(File("").absoluteFile, File::getParentFile)
            .map { File(it, "tests/contract") }
            .firstOrNull { File(it, INDEX).isFile }
        ?: error("tests/contract was not found above ${File("").absolutePath}")

    /** An artifact with everything. */
    val artifact: File = File(folder, "artifacts/colour-transfer")

    fun bytes(path: String): ByteArray = File(folder, path).readBytes()

    fun json(path: String): JsonValue = JsonReader.read(bytes(path))

    /** Return what a folder's index says of each of its files. */
    fun index(name: String): List<JsonObject> = json("$name/$INDEX").list().map { it as JsonObject }

    /** Return the cases of one kind of sum. */
    fun sums(kind: String): List<JsonObject> =
        (json("arithmetic.json") as JsonObject)[kind].list().map { it as JsonObject }
}

internal operator fun JsonValue.get(name: String): JsonValue =
    (this as JsonObject).members[name] ?: error("no $name")

internal fun JsonObject.has(name: String): Boolean = name in members

internal fun JsonValue.list(): List<JsonValue> = (this as JsonArray).values

internal fun JsonValue.text(): String = (this as JsonText).text

internal fun JsonValue.int(): Int = (this as JsonNumber).digits.toInt()

internal fun JsonValue.long(): Long = (this as JsonNumber).digits.toLong()

internal fun JsonValue.double(): Double =
    if (this is JsonNull) Double.NaN else (this as JsonNumber).digits.toDouble()

internal fun JsonValue.doubleOrNull(): Double? = if (this is JsonNull) null else double()

internal fun JsonValue.boolean(): Boolean = (this as JsonBoolean).value

internal fun JsonValue.floats(): FloatArray =
    list().map { it.double().toFloat() }.toFloatArray()

internal fun JsonValue.ints(): List<Int> = list().map { it.int() }
