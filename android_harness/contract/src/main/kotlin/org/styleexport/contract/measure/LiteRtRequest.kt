package org.styleexport.contract.measure

/** API of LiteRT that runs a file. */
public enum class LiteRtApi(public val text: String) {
    /** Compiles the file for one accelerator, the CPU or the GPU. */
    COMPILED_MODEL("compiled_model"),

    /** The older API. Since LiteRT 2 it runs on the CPU alone. */
    INTERPRETER("interpreter");

    public companion object {
        /** Key of the API in a cell's settings, requested and effective. */
        public const val SETTING: String = "api"

        /** Request that leaves the choice to [LiteRtRoute]; a named API is not replaced. */
        public const val AUTO: String = "auto"
    }
}

/** Precision in which the GPU computes; the CPU computes in that of the file. */
public enum class GpuPrecision(public val text: String) {
    /** Values and sums in float16: the fastest. */
    FP16("fp16"),

    /** Values in float16, sums in float32. */
    FP16_FP32_SUMS("fp16-fp32-sums"),

    /** Values and sums in float32. */
    FP32("fp32");

    public companion object {
        /** Key of the precision in a cell's settings, requested and effective. */
        public const val SETTING: String = "precision"
    }
}

/**
 * Settings that a cell requests of LiteRT.
 *
 * @property delegate the GPU, or XNNPACK for the CPU: LiteRT has no faster kernels for it.
 * @property api requested API; null leaves the choice to [LiteRtRoute].
 * @property precision precision of the GPU; null for the CPU.
 */
public class LiteRtRequest private constructor(
    public val delegate: DelegateKind,
    public val api: LiteRtApi?,
    public val precision: GpuPrecision?,
) {
    /** Whether the GPU is requested. */
    public val isGpu: Boolean get() = delegate == DelegateKind.GPU

    /**
     * Return the effective settings of a session.
     *
     * @param api API that runs the file.
     * @param threads number of threads of the CPU; null is LiteRT's default.
     * @param fallback why the requested or preferred API does not run it; null where it does.
     */
    public fun effective(
        api: LiteRtApi, threads: Int?, fallback: String?,
    ): Map<String, String> = buildMap {
        put("engine", "litert")
        put(LiteRtApi.SETTING, api.text)
        put(DelegateKind.SETTING, delegate.text)
        if (!isGpu && threads != null) put("threads", threads.toString())
        precision?.let { put(GpuPrecision.SETTING, it.text) }
        put("fp16", if (precision == null || precision == GpuPrecision.FP32) "off" else "on")
        fallback?.let { put(FALLBACK, ErrorText.line(it)) }
    }

    public companion object {
        /** Key of the reason for a fallback in the effective settings. */
        public const val FALLBACK: String = "fallback"

        /**
         * Return the request of a cell.
         *
         * @throws EngineUnavailable a setting is unknown, or LiteRT cannot honour it.
         */
        public fun of(requested: Map<String, String>): LiteRtRequest {
            val kind = DelegateKind.of(requested)
            val api = if (requested[LiteRtApi.SETTING] == LiteRtApi.AUTO) {
                null
            } else {
                entry(requested, LiteRtApi.SETTING, LiteRtApi.entries, LiteRtApi::text)
            }
            val precision =
                entry(requested, GpuPrecision.SETTING, GpuPrecision.entries, GpuPrecision::text)
            return when (kind) {
                DelegateKind.NNAPI -> throw EngineUnavailable(
                    "LiteRT 2 has no NNAPI delegate: use gpu or xnnpack, or an .onnx file",
                )
                DelegateKind.GPU -> {
                    if (api == LiteRtApi.INTERPRETER) {
                        throw EngineUnavailable("LiteRT 2's interpreter runs on the CPU alone")
                    }
                    LiteRtRequest(kind, api, precision ?: GpuPrecision.FP16)
                }
                DelegateKind.CPU, DelegateKind.XNNPACK -> {
                    if (precision != null) {
                        throw EngineUnavailable("${GpuPrecision.SETTING} is a setting of the gpu")
                    }
                    LiteRtRequest(DelegateKind.XNNPACK, api, null)
                }
            }
        }

        /**
         * Check that settings hold none of LiteRT alone.
         *
         * @throws EngineUnavailable they do.
         */
        public fun refuseIn(requested: Map<String, String>) {
            val keys = listOf(LiteRtApi.SETTING, GpuPrecision.SETTING)
            val key = keys.firstOrNull(requested::contains)
            if (key != null) throw EngineUnavailable("$key is a setting of .tflite files")
        }

        private fun <T> entry(
            requested: Map<String, String>, key: String, entries: List<T>, textOf: (T) -> String,
        ): T? {
            val name = requested[key] ?: return null
            return entries.firstOrNull { textOf(it) == name } ?: throw EngineUnavailable(
                "no $key $name: expected ${entries.joinToString(", ", transform = textOf)}",
            )
        }
    }
}
