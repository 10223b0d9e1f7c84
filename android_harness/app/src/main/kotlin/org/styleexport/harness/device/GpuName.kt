package org.styleexport.harness.device

import android.opengl.EGL14
import android.opengl.EGLConfig
import android.opengl.GLES20
import org.styleexport.contract.measure.Words

/** The name of the GPU, which only a context of OpenGL tells. */
object GpuName {
    /** Return it; null where there is none. */
    fun find(): String? {
        val display = EGL14.eglGetDisplay(EGL14.EGL_DEFAULT_DISPLAY)
        val version = IntArray(2)
        if (!EGL14.eglInitialize(display, version, 0, version, 1)) return null
        val configs = arrayOfNulls<EGLConfig>(1)
        val wanted = intArrayOf(
            EGL14.EGL_RENDERABLE_TYPE, EGL14.EGL_OPENGL_ES2_BIT,
            EGL14.EGL_SURFACE_TYPE, EGL14.EGL_PBUFFER_BIT, EGL14.EGL_NONE,
        )
        val count = IntArray(1)
        EGL14.eglChooseConfig(display, wanted, 0, configs, 0, 1, count, 0)
        val config = configs[0] ?: return null
        val small = intArrayOf(EGL14.EGL_WIDTH, 1, EGL14.EGL_HEIGHT, 1, EGL14.EGL_NONE)
        val surface = EGL14.eglCreatePbufferSurface(display, config, small, 0)
        val two = intArrayOf(EGL14.EGL_CONTEXT_CLIENT_VERSION, 2, EGL14.EGL_NONE)
        val context = EGL14.eglCreateContext(display, config, EGL14.EGL_NO_CONTEXT, two, 0)
        try {
            if (!EGL14.eglMakeCurrent(display, surface, surface, context)) return null
            return GLES20.glGetString(GLES20.GL_RENDERER)?.let(Words::line)
        } finally {
            val none = EGL14.EGL_NO_SURFACE
            EGL14.eglMakeCurrent(display, none, none, EGL14.EGL_NO_CONTEXT)
            EGL14.eglDestroySurface(display, surface)
            EGL14.eglDestroyContext(display, context)
            // The display is shared with delegates that may be loaded: it is not terminated.
        }
    }
}
