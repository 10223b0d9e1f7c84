package org.styleexport.harness.camera

import android.annotation.SuppressLint
import android.app.Activity
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Surface
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.measure.Words
import org.styleexport.harness.picture.Source

/**
 * The camera at the back, its frames handed on one at a time. Called on the main thread; the frames
 * are read and turned upright on a thread of its own.
 *
 * @param fileOf gives the file that is to paint.
 * @param take gets a frame on the main thread, and calls back when it is done with.
 * @param fail is told why there are no more frames.
 */
class CameraFeed(
    private val activity: Activity,
    private val fileOf: () -> FileFact?,
    private val take: (Source, () -> Unit) -> Unit,
    private val fail: (String) -> Unit,
) {
    private class Running(val thread: HandlerThread, val reader: ImageReader) {
        val handler = Handler(thread.looper)
        var device: CameraDevice? = null
        @Volatile var isOver = false
    }

    private var running: Running? = null

    /** Whether frames come, or soon will. */
    val isRunning: Boolean get() = running != null

    /** Begin; the permission for the camera must have been given. */
    @SuppressLint("MissingPermission")
    fun start() {
        if (running != null) return
        val manager = activity.getSystemService(CameraManager::class.java)
        try {
            val id = back(manager) ?: return fail("this phone has no camera")
            val facts = manager.getCameraCharacteristics(id)
            val size = sizeOf(facts)
            val thread = HandlerThread("camera").apply { start() }
            val format = ImageFormat.YUV_420_888
            val reader = ImageReader.newInstance(size.width, size.height, format, 2)
            val new = Running(thread, reader).also { running = it }
            val frames = Frames(turns(facts), fileOf) { source, then ->
                activity.runOnUiThread { if (new.isOver) then() else take(source, then) }
            }
            reader.setOnImageAvailableListener({ frames.read(it) }, new.handler)
            manager.openCamera(id, Opened(new), new.handler)
        } catch (error: CameraAccessException) {
            stopped(Words.reason(error))
        } catch (error: SecurityException) {
            stopped(Words.reason(error))
        }
    }

    /** End, and give the camera back. */
    fun stop() {
        val old = running ?: return
        running = null
        old.isOver = true
        old.handler.post {
            old.device?.close()
            old.reader.close()
            old.thread.quitSafely()
        }
    }

    private fun stopped(reason: String) = activity.runOnUiThread {
        stop()
        fail(reason)
    }

    private fun back(manager: CameraManager): String? = manager.cameraIdList.minByOrNull {
        val facing = manager.getCameraCharacteristics(it).get(CameraCharacteristics.LENS_FACING)
        if (facing == CameraCharacteristics.LENS_FACING_BACK) 0 else 1
    }

    /** The size nearest to what files take: more pixels would only be thrown away. */
    private fun sizeOf(facts: CameraCharacteristics): Size {
        val map = facts.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        val sizes = map?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty()
        return sizes.filter { minOf(it.width, it.height) >= SHORTEST }
            .minByOrNull { it.width.toLong() * it.height } ?: sizes.first()
    }

    /** Quarter turns clockwise from the sensor to the screen. */
    private fun turns(facts: CameraCharacteristics): Int {
        val sensor = facts.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        @Suppress("DEPRECATION")
        val screen = when (activity.windowManager.defaultDisplay.rotation) {
            Surface.ROTATION_90 -> 90
            Surface.ROTATION_180 -> 180
            Surface.ROTATION_270 -> 270
            else -> 0
        }
        return Math.floorMod(sensor - screen, 360) / 90
    }

    private inner class Opened(private val new: Running) : CameraDevice.StateCallback() {
        override fun onOpened(device: CameraDevice) {
            new.device = device
            if (new.isOver) return device.close()
            try {
                @Suppress("DEPRECATION")
                device.createCaptureSession(
                    listOf(new.reader.surface), Configured(new), new.handler,
                )
            } catch (error: CameraAccessException) {
                stopped(Words.reason(error))
            }
        }

        override fun onDisconnected(device: CameraDevice) {
            device.close()
            stopped("another app took the camera")
        }

        override fun onError(device: CameraDevice, error: Int) {
            device.close()
            stopped("the camera failed with error $error")
        }
    }

    private inner class Configured(private val new: Running) :
        CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            if (new.isOver) return
            try {
                val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(new.reader.surface)
                session.setRepeatingRequest(request.build(), null, new.handler)
            } catch (error: CameraAccessException) {
                stopped(Words.reason(error))
            } catch (_: IllegalStateException) {
                // It was stopped meanwhile.
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) {
            stopped("the camera does not give frames of this size")
        }
    }

    private companion object {
        const val SHORTEST = 480
    }
}
