package org.styleexport.harness.device

import ai.onnxruntime.OrtEnvironment
import android.app.ActivityManager
import android.content.Context
import android.content.pm.ApplicationInfo
import android.opengl.EGL14
import android.opengl.EGLConfig
import android.opengl.GLES20
import android.os.Build
import java.io.File
import java.io.IOException
import org.styleexport.contract.facts.HarnessFact
import org.styleexport.contract.facts.HarnessName
import org.styleexport.contract.facts.MachineFact
import org.styleexport.contract.measure.ErrorText
import org.styleexport.contract.measure.ReportBuilder
import org.tensorflow.lite.TensorFlowLite

/** Description of this phone for reports. */
class DeviceInfo(private val context: Context) {
    private val state = DeviceState(context)

    /** Return the report builder of this phone. */
    fun reportBuilder(): ReportBuilder =
        ReportBuilder(harness(), AndroidBenchDevice.CLOCK, ::machine, state::now)

    /** Version of the app. */
    val version: String
        get() = context.packageManager.getPackageInfo(context.packageName, 0).versionName.orEmpty()

    private fun harness() =
        HarnessFact(HarnessName.ANDROID, version, debuggable = isDebuggable())

    private fun isDebuggable(): Boolean =
        context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0

    private fun machine() = MachineFact(
        device = ErrorText.line("${Build.MANUFACTURER} ${Build.MODEL}"),
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        processor = ErrorText.line(processor()),
        cores = Runtime.getRuntime().availableProcessors().toLong(),
        memoryBytes = memory().totalMem,
        accelerators = listOfNotNull(GpuName.find()),
        features = features(),
        versions = versions(),
        emulator = isEmulator(),
    )

    private fun processor(): String = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
        "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}"
    } else {
        "${Build.HARDWARE} ${Build.BOARD}"
    }

    /** Whether this is an emulator, by the names that Google's images have. */
    private fun isEmulator(): Boolean = Build.HARDWARE in EMULATED_HARDWARE ||
        Build.MODEL.startsWith("sdk_gphone") || Build.FINGERPRINT.startsWith("generic")

    private fun memory() = ActivityManager.MemoryInfo().also {
        context.getSystemService(ActivityManager::class.java).getMemoryInfo(it)
    }

    private fun features(): List<String> = try {
        val line = File("/proc/cpuinfo").useLines { lines ->
            lines.firstOrNull { it.startsWith("Features") }
        }
        line.orEmpty().substringAfter(':').trim().split(' ').filter { it in KERNEL_FEATURES }
    } catch (_: IOException) {
        emptyList()
    }

    private fun versions(): Map<String, String> = buildMap {
        versionOrNull { TensorFlowLite.runtimeVersion() }?.let { put("litert", it) }
        versionOrNull { OrtEnvironment.getEnvironment().version }?.let { put("onnxruntime", it) }
        put("build", ErrorText.line(Build.DISPLAY))
        put("security patch", Build.VERSION.SECURITY_PATCH)
    }

    /** Return a runtime's version; null if the runtime is not in the app or cannot be loaded. */
    private fun versionOrNull(version: () -> String): String? = try {
        version()
    } catch (_: LinkageError) {
        null
    } catch (_: RuntimeException) {
        null
    }

    private companion object {
        /** CPU features by which runtimes choose kernels, as Linux names them. */
        val KERNEL_FEATURES = setOf(
            "neon", "asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme",
        )
        val EMULATED_HARDWARE = setOf("goldfish", "ranchu", "cutf_cvm", "vbox86")
    }
}

/** Name of the GPU, which only an OpenGL context reports. */
object GpuName {
    /** Return the name; null if there is no GPU. */
    fun find(): String? {
        val display = EGL14.eglGetDisplay(EGL14.EGL_DEFAULT_DISPLAY)
        val version = IntArray(2)
        if (!EGL14.eglInitialize(display, version, 0, version, 1)) return null
        val configs = arrayOfNulls<EGLConfig>(1)
        val attributes = intArrayOf(
            EGL14.EGL_RENDERABLE_TYPE, EGL14.EGL_OPENGL_ES2_BIT,
            EGL14.EGL_SURFACE_TYPE, EGL14.EGL_PBUFFER_BIT, EGL14.EGL_NONE,
        )
        val count = IntArray(1)
        EGL14.eglChooseConfig(display, attributes, 0, configs, 0, 1, count, 0)
        val config = configs[0] ?: return null
        val small = intArrayOf(EGL14.EGL_WIDTH, 1, EGL14.EGL_HEIGHT, 1, EGL14.EGL_NONE)
        val surface = EGL14.eglCreatePbufferSurface(display, config, small, 0)
        val two = intArrayOf(EGL14.EGL_CONTEXT_CLIENT_VERSION, 2, EGL14.EGL_NONE)
        val context = EGL14.eglCreateContext(display, config, EGL14.EGL_NO_CONTEXT, two, 0)
        try {
            if (!EGL14.eglMakeCurrent(display, surface, surface, context)) return null
            return GLES20.glGetString(GLES20.GL_RENDERER)?.let(ErrorText::line)
        } finally {
            val none = EGL14.EGL_NO_SURFACE
            EGL14.eglMakeCurrent(display, none, none, EGL14.EGL_NO_CONTEXT)
            EGL14.eglDestroySurface(display, surface)
            EGL14.eglDestroyContext(display, context)
            // The display is shared with loaded delegates, so it is not terminated.
        }
    }
}
