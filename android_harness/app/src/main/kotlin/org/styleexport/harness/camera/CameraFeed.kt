package org.styleexport.harness.camera

import android.annotation.SuppressLint
import android.app.Activity
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
import org.styleexport.contract.measure.ErrorText
import org.styleexport.harness.picture.PictureSource

/**
 * Preview frames of the rear camera, delivered one at a time. Use it on the main thread; frames are
 * read and rotated on a background thread.
 *
 * @param currentFile returns the file that stylizes; null drops the frame.
 * @param onFrame receives a frame on the main thread, and calls its second argument when done.
 * @param onError receives the reason why the camera stopped.
 */
class CameraFeed(
    private val activity: Activity,
    private val currentFile: () -> FileFact?,
    private val onFrame: (PictureSource, () -> Unit) -> Unit,
    private val onError: (String) -> Unit,
) {
    private class Capture(val thread: HandlerThread, val reader: ImageReader) {
        val handler = Handler(thread.looper)
        var device: CameraDevice? = null
        @Volatile var isStopped = false
    }

    private var capture: Capture? = null

    /** Whether the camera is open or opening. */
    val isRunning: Boolean get() = capture != null

    /** Open the camera; its permission must have been granted. */
    @SuppressLint("MissingPermission")
    fun start() {
        if (capture != null) return
        val manager = activity.getSystemService(CameraManager::class.java)
        try {
            val id = rearCamera(manager) ?: return onError("this phone has no camera")
            val facts = manager.getCameraCharacteristics(id)
            val size = sizeOf(facts)
            val thread = HandlerThread("camera").apply { start() }
            val format = ImageFormat.YUV_420_888
            val reader = ImageReader.newInstance(size.width, size.height, format, 2)
            val new = Capture(thread, reader).also { capture = it }
            val frames = FrameReader(quarterTurns(facts), currentFile) { source, done ->
                activity.runOnUiThread { if (new.isStopped) done() else onFrame(source, done) }
            }
            reader.setOnImageAvailableListener({ frames.read(it) }, new.handler)
            manager.openCamera(id, Opened(new), new.handler)
        } catch (error: CameraAccessException) {
            stopped(ErrorText.reason(error))
        } catch (error: SecurityException) {
            stopped(ErrorText.reason(error))
        }
    }

    /** Close the camera. */
    fun stop() {
        val old = capture ?: return
        capture = null
        old.isStopped = true
        old.handler.post {
            old.device?.close()
            old.reader.close()
            old.thread.quitSafely()
        }
    }

    private fun stopped(reason: String) = activity.runOnUiThread {
        stop()
        onError(reason)
    }

    private fun rearCamera(manager: CameraManager): String? = manager.cameraIdList.minByOrNull {
        val facing = manager.getCameraCharacteristics(it).get(CameraCharacteristics.LENS_FACING)
        if (facing == CameraCharacteristics.LENS_FACING_BACK) 0 else 1
    }

    /** Return the smallest sufficient size: files have small inputs. */
    private fun sizeOf(facts: CameraCharacteristics): Size {
        val map = facts.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        val sizes = map?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty()
        return sizes.filter { minOf(it.width, it.height) >= MIN_SIDE }
            .minByOrNull { it.width.toLong() * it.height } ?: sizes.first()
    }

    /** Return the clockwise quarter turns from the sensor to the screen. */
    private fun quarterTurns(facts: CameraCharacteristics): Int {
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

    private inner class Opened(private val new: Capture) : CameraDevice.StateCallback() {
        override fun onOpened(device: CameraDevice) {
            new.device = device
            if (new.isStopped) return device.close()
            try {
                @Suppress("DEPRECATION")
                device.createCaptureSession(
                    listOf(new.reader.surface), Configured(new), new.handler,
                )
            } catch (error: CameraAccessException) {
                stopped(ErrorText.reason(error))
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

    private inner class Configured(private val new: Capture) :
        CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            if (new.isStopped) return
            try {
                val request = session.device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(new.reader.surface)
                session.setRepeatingRequest(request.build(), null, new.handler)
            } catch (error: CameraAccessException) {
                stopped(ErrorText.reason(error))
            } catch (_: IllegalStateException) {
                // The camera was stopped meanwhile.
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) {
            stopped("the camera does not support this frame size")
        }
    }

    private companion object {
        const val MIN_SIDE = 480
    }
}
