package org.styleexport.contract.measure

/** Delegate of LiteRT, or execution provider of ONNX Runtime, that a file can be run with. */
public enum class DelegateKind(public val text: String) {
    /** CPU kernels of the runtime. */
    CPU("cpu"),

    /** XNNPACK: float and integer kernels for the CPU. */
    XNNPACK("xnnpack"),

    /** OpenCL or OpenGL, LiteRT only. */
    GPU("gpu"),

    /** Android's neural networks API, deprecated since Android 15; ONNX Runtime only. */
    NNAPI("nnapi");

    public companion object {
        /** Names of all delegates. */
        public val NAMES: List<String> = entries.map(DelegateKind::text)

        /** Key of the delegate in a cell's settings. */
        public const val SETTING: String = "delegate"

        /**
         * Return the requested delegate; the CPU by default.
         *
         * @throws EngineUnavailable the name is unknown.
         */
        public fun of(requested: Map<String, String>): DelegateKind {
            val name = requested[SETTING] ?: return CPU
            return entries.firstOrNull { it.text == name } ?: throw EngineUnavailable(
                "no delegate $name: expected ${NAMES.joinToString(", ")}",
            )
        }
    }
}
