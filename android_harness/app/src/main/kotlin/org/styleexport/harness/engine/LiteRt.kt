package org.styleexport.harness.engine

import com.google.ai.edge.litert.LiteRtException
import java.io.File
import java.util.Date
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.measure.DelegateLog
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.ErrorText
import org.styleexport.contract.measure.LiteRtApi
import org.styleexport.contract.measure.LiteRtApis
import org.styleexport.contract.measure.LiteRtRequest
import org.styleexport.contract.measure.LiteRtRoute
import org.styleexport.contract.measure.Session

/** LiteRT for `.tflite` files; [LiteRtRoute] chooses the API. */
class LiteRtEngine : Engine {
    override val suffix: String get() = SUFFIX

    override fun open(file: File, cell: JobCell, threads: Int?): Session {
        val request = LiteRtRequest.of(cell.requested)
        return LiteRtRoute.open(request, cell, Apis(file, cell, threads, request))
    }

    private class Apis(
        private val file: File, private val cell: JobCell, private val threads: Int?,
        private val request: LiteRtRequest,
    ) : LiteRtApis {
        override fun compiledModel(): Session {
            val start = Date()
            val effective = request.effective(LiteRtApi.COMPILED_MODEL, threads, null)
            return try {
                LiteRtCompiledModel(file, cell, threads, request, effective)
            } catch (error: LiteRtException) {
                throw EngineUnavailable(refusal(error, start), error)
            } catch (error: LinkageError) {
                val reason = ErrorText.reason(error)
                throw EngineUnavailable("CompiledModel is not in this app: $reason", error)
            }
        }

        override fun interpreter(fallback: String?): Session {
            val effective = request.effective(LiteRtApi.INTERPRETER, threads, fallback)
            return LiteRtInterpreter(file, cell, threads, effective)
        }

        /** Return why LiteRT refuses the file, and the operations that it logs. */
        private fun refusal(error: LiteRtException, start: Date): String {
            val text = error.message?.let(DelegateLog::reason) ?: ErrorText.reason(error)
            val reason = "${request.delegate.text} refused the file: $text"
            val refused = DelegateLog.refused(ProcessLog.since(start, ProcessLog.LITERT))
            return if (refused.isEmpty()) reason else "$reason (${refused.joinToString("; ")})"
        }
    }

    companion object {
        /** Extension of the files that it runs. */
        const val SUFFIX = ".tflite"
    }
}
