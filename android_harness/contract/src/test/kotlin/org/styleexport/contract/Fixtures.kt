package org.styleexport.contract

import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import java.io.File
import org.styleexport.contract.json.StrictJson

/**
 * Fixtures that all languages read: the folder of the property `contract.fixtures`, or
 * `tests/contract` above the working directory. Tests never write to them.
 */
internal object Fixtures {
    private const val INDEX = "index.json"

    val folder: File = System.getProperty("contract.fixtures")?.let(::File)
        ?: generateSequence(File("").absoluteFile, File::getParentFile)
            .map { File(it, "tests/contract") }
            .firstOrNull { File(it, INDEX).isFile }
        ?: error("tests/contract was not found above ${File("").absolutePath}")

    /** Artifact with every kind of file. */
    val artifact: File = File(folder, "artifacts/colour-transfer")

    fun bytes(path: String): ByteArray = File(folder, path).readBytes()

    fun json(path: String): JsonElement = StrictJson.parse(bytes(path))

    /** Return the entries of a folder's index, one per file. */
    fun index(name: String): List<JsonObject> = json("$name/$INDEX").list().map { it as JsonObject }

    /** Return the cases of one kind of arithmetic. */
    fun sums(kind: String): List<JsonObject> =
        (json("arithmetic.json") as JsonObject)[kind].list().map { it as JsonObject }
}

internal operator fun JsonElement.get(name: String): JsonElement =
    asJsonObject.get(name) ?: error("no $name")

internal fun JsonElement.list(): List<JsonElement> = asJsonArray.toList()

internal fun JsonElement.text(): String = asString

internal fun JsonElement.int(): Int = asString.toInt()

internal fun JsonElement.long(): Long = asString.toLong()

internal fun JsonElement.double(): Double =
    if (this is JsonNull) Double.NaN else asString.toDouble()

internal fun JsonElement.doubleOrNull(): Double? = if (this is JsonNull) null else double()

internal fun JsonElement.boolean(): Boolean = asBoolean

internal fun JsonElement.floats(): FloatArray =
    list().map { it.double().toFloat() }.toFloatArray()

internal fun JsonElement.ints(): List<Int> = list().map { it.int() }
