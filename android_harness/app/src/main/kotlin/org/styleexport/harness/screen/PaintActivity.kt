package org.styleexport.harness.screen

import android.Manifest.permission.CAMERA
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.ImageView
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import org.styleexport.harness.HarnessApp
import org.styleexport.harness.R
import org.styleexport.harness.camera.CameraFeed
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.picture.SharedPictures
import org.styleexport.harness.work.Painting

/** Paints a photograph or the camera with one artifact. */
class PaintActivity : Activity() {
    private val painting: Painting get() = (application as HarnessApp).painting
    private lateinit var camera: CameraFeed

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_paint)
        camera = CameraFeed(this, painting::chosenFile, painting::takeFrame) { failed ->
            findViewById<TextView>(R.id.note).text = failed
            showCamera()
        }
        val name = intent.getStringExtra(Screens.ARTIFACT)
        // There is none where the process was killed, or the artifact replaced.
        val artifact = (application as HarnessApp).library.find(name) ?: return finish()
        title = artifact.manifest.network.name
        painting.open(artifact)
        listen()
    }

    override fun onStart() {
        super.onStart()
        painting.state.watch(::show)
    }

    override fun onStop() {
        camera.stop()
        painting.state.leave()
        if (isFinishing) painting.rest()
        super.onStop()
    }

    private fun listen() {
        onClick(R.id.photo) { pick(PICK_PHOTO) }
        onClick(R.id.style_picture) { pick(PICK_STYLE) }
        onClick(R.id.camera) { switchCamera() }
        onClick(R.id.share) {
            painting.share { file ->
                startActivity(SharedPictures.chooser(this, file, SharedPictures.PNG))
            }
        }
        onClick(R.id.benchmark) {
            val name = intent.getStringExtra(Screens.ARTIFACT)
            val benchmark = Intent(this, BenchmarkActivity::class.java)
            startActivity(benchmark.putExtra(Screens.ARTIFACT, name))
        }
        Screens.offer(this, findViewById(R.id.delegate), Delegates.entries.map(Delegates::text))
        onChoice(R.id.file) { painting.choose { held -> held.copy(file = it) } }
        onChoice(R.id.delegate) {
            painting.choose { held -> held.copy(delegate = Delegates.entries[it]) }
        }
        onChoice(R.id.first) { painting.choose { held -> held.copy(first = style(it)) } }
        onChoice(R.id.second) { painting.choose { held -> held.copy(second = style(it)) } }
        onSlide(R.id.blend) { painting.choose { held -> held.copy(blend = it) } }
        onSlide(R.id.strength) { painting.choose { held -> held.copy(strength = it) } }
        findViewById<CheckBox>(R.id.tiles).setOnCheckedChangeListener { _, isChecked ->
            painting.choose { it.copy(isTiled = isChecked) }
        }
    }

    private fun onClick(id: Int, action: () -> Unit) =
        findViewById<Button>(id).setOnClickListener { action() }

    private fun onChoice(id: Int, take: (Int) -> Unit) = Screens.onChoice(findViewById(id), take)

    private fun onSlide(id: Int, take: (Float) -> Unit) = Screens.onSlide(findViewById(id), take)

    private fun style(index: Int) = painting.state.value.styles.getOrNull(index)

    private fun show(state: Painting.State) {
        val choices = state.choices
        offer(R.id.file, state.files.map { it.path }, choices.file)
        findViewById<Spinner>(R.id.delegate).setSelection(choices.delegate.ordinal)
        offer(R.id.first, state.styles, state.styles.indexOf(choices.first))
        offer(R.id.second, state.styles, state.styles.indexOf(choices.second))
        findViewById<View>(R.id.packed).visibility =
            if (state.styles.isEmpty()) View.GONE else View.VISIBLE
        showShare(R.id.blend, choices.blend)
        showShare(R.id.strength, choices.strength)
        findViewById<CheckBox>(R.id.tiles).isChecked = choices.isTiled
        findViewById<Button>(R.id.share).isEnabled = state.painted != null
        state.painted?.let {
            findViewById<ImageView>(R.id.painting).setImageBitmap(it.bitmap)
            findViewById<TextView>(R.id.told).text =
                getString(R.string.painted_line, it.milliseconds, it.told)
        }
        findViewById<TextView>(R.id.note).text = state.note.orEmpty()
        showCamera()
    }

    private fun showShare(id: Int, share: Float) {
        val bar = findViewById<SeekBar>(id)
        if (!bar.isPressed) bar.progress = (share * bar.max).toInt()
    }

    private fun offer(id: Int, words: List<String>, chosen: Int) {
        val spinner = findViewById<Spinner>(id)
        Screens.offer(this, spinner, words)
        if (chosen >= 0) spinner.setSelection(chosen)
    }

    private fun pick(code: Int) {
        camera.stop()
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
        try {
            @Suppress("DEPRECATION")
            startActivityForResult(intent.setType("image/*"), code)
        } catch (_: ActivityNotFoundException) {
            findViewById<TextView>(R.id.note).setText(R.string.no_picker)
        }
    }

    @Deprecated("Activity has no other way without a library")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data ?: return
        if (resultCode != RESULT_OK) return
        if (requestCode == PICK_PHOTO) painting.takePhoto(uri) else painting.takeStyle(uri)
    }

    private fun switchCamera() {
        when {
            camera.isRunning -> camera.stop()
            checkSelfPermission(CAMERA) == PackageManager.PERMISSION_GRANTED -> camera.start()
            else -> requestPermissions(arrayOf(CAMERA), ASK_CAMERA)
        }
        showCamera()
    }

    override fun onRequestPermissionsResult(
        code: Int, permissions: Array<String>, results: IntArray,
    ) {
        // An empty answer is one that the user broke off.
        if (code == ASK_CAMERA && results.firstOrNull() == PackageManager.PERMISSION_GRANTED) {
            camera.start()
        } else {
            findViewById<TextView>(R.id.note).setText(R.string.camera_denied)
        }
        showCamera()
    }

    private fun showCamera() = findViewById<Button>(R.id.camera).setText(
        if (camera.isRunning) R.string.camera_stop else R.string.camera_start,
    )

    private companion object {
        const val PICK_PHOTO = 1
        const val PICK_STYLE = 2
        const val ASK_CAMERA = 3
    }
}
