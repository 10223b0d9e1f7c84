package org.styleexport.harness.engine

import org.styleexport.contract.measure.EngineUnavailable

/** What a file may be asked to run on. */
enum class Delegates(val text: String) {
    /** The runtime's own path on the CPU. */
    CPU("cpu"),

    /** XNNPACK: float and integer kernels for the CPU. */
    XNNPACK("xnnpack"),

    /** OpenCL or OpenGL, LiteRT only. */
    GPU("gpu"),

    /** Android's neural networks API, deprecated since Android 15. */
    NNAPI("nnapi");

    companion object {
        /** The setting that names one. */
        const val SETTING = "delegate"

        /**
         * Return what is asked for; the CPU where nothing is.
         *
         * @throws EngineUnavailable there is none of that name.
         */
        fun of(requested: Map<String, String>): Delegates {
            val asked = requested[SETTING] ?: return CPU
            return entries.firstOrNull { it.text == asked } ?: throw EngineUnavailable(
                "no delegate $asked: expected ${entries.joinToString(", ") { it.text }}",
            )
        }
    }
}
