package org.styleexport.harness.device

import ai.onnxruntime.OrtEnvironment
import android.app.ActivityManager
import android.content.Context
import android.os.Build
import java.io.File
import java.io.IOException
import org.styleexport.contract.facts.HarnessFact
import org.styleexport.contract.facts.MachineFact
import org.styleexport.contract.measure.Reports
import org.styleexport.contract.measure.Words
import org.tensorflow.lite.TensorFlowLite

/** This phone, as far as Android tells. */
class Phone(private val context: Context) {
    private val state = PhoneState(context)

    /** Return what makes reports here. */
    fun reports(): Reports = Reports(harness(), DeviceBench.CLOCK, ::machine, state::now)

    /** The version of this app. */
    val version: String
        get() = context.packageManager.getPackageInfo(context.packageName, 0).versionName.orEmpty()

    private fun harness() = HarnessFact("android", version)

    private fun machine() = MachineFact(
        device = Words.line("${Build.MANUFACTURER} ${Build.MODEL}"),
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        processor = Words.line(processor()),
        cores = Runtime.getRuntime().availableProcessors().toLong(),
        memoryBytes = memory().totalMem,
        accelerators = listOfNotNull(GpuName.find()),
        features = features(),
        versions = versions(),
    )

    private fun processor(): String = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
        "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}"
    } else {
        "${Build.HARDWARE} ${Build.BOARD}"
    }

    private fun memory() = ActivityManager.MemoryInfo().also {
        context.getSystemService(ActivityManager::class.java).getMemoryInfo(it)
    }

    private fun features(): List<String> = try {
        val line = File("/proc/cpuinfo").useLines { lines ->
            lines.firstOrNull { it.startsWith("Features") }
        }
        line.orEmpty().substringAfter(':').trim().split(' ').filter { it in TELLING }
    } catch (_: IOException) {
        emptyList()
    }

    private fun versions(): Map<String, String> = buildMap {
        told { TensorFlowLite.runtimeVersion() }?.let { put("litert", it) }
        told { OrtEnvironment.getEnvironment().version }?.let { put("onnxruntime", it) }
        put("build", Words.line(Build.DISPLAY))
        put("security patch", Build.VERSION.SECURITY_PATCH)
    }

    /** A runtime that was left out of the app, or cannot be loaded, has no version. */
    private fun told(version: () -> String): String? = try {
        version()
    } catch (_: LinkageError) {
        null
    } catch (_: RuntimeException) {
        null
    }

    private companion object {
        /** Instructions by which runtimes choose their kernels, as Linux names them. */
        val TELLING = setOf(
            "neon", "asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme",
        )
    }
}
