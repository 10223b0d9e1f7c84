// The part of LiteRT's Kotlin API (com.google.ai.edge.litert:litert 2.3) that the app calls, written by
// hand from its source: names, types and defaults, no behaviour. Kotlin's own signatures are needed,
// because those of Java know neither named nor default arguments.
package com.google.ai.edge.litert

private fun absent(): Nothing = error("a signature, which is compiled against and never run")

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle internal constructor() : AutoCloseable {
    override final fun close(): Unit = absent()
}

class LiteRtException(code: Int, message: String) : Exception(message)

class TensorBuffer internal constructor() : JniHandle() {
    fun writeFloat(data: FloatArray): Unit = absent()

    fun writeInt8(data: ByteArray): Unit = absent()

    fun readFloat(): FloatArray = absent()

    fun readInt8(): ByteArray = absent()
}

class Environment private constructor() : JniHandle()

class CompiledModel private constructor() : JniHandle() {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    data class GpuOptions(
        val constantTensorSharing: Boolean? = null,
        val infiniteFloatCapping: Boolean? = null,
        val allowSrcQuantizedFcConvOps: Boolean? = null,
        val precision: Precision? = null,
    ) {
        enum class Precision { DEFAULT, FP16, FP32, FP16_WITH_FP32_ACCUM }
    }

    class Options(accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = absent()
        var gpuOptions: GpuOptions? = absent()
    }

    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer = absent()

    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer = absent()

    fun run(
        inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = "",
    ): Unit = absent()

    companion object {
        @JvmOverloads
        @JvmStatic
        fun create(
            filePath: String, options: Options = absent(), optionalEnv: Environment? = null,
        ): CompiledModel = absent()
    }
}
