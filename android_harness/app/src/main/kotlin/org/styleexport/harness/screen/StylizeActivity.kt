package org.styleexport.harness.screen

import android.Manifest.permission.CAMERA
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.CheckBox
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import org.styleexport.contract.facts.Blending
import org.styleexport.contract.facts.CodeLayoutFact
import org.styleexport.contract.facts.blendingNote
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.harness.HarnessApp
import org.styleexport.harness.R
import org.styleexport.harness.camera.CameraFeed
import org.styleexport.harness.picture.Bitmaps
import org.styleexport.harness.picture.SharedFiles
import org.styleexport.harness.work.StylizeModel
import org.styleexport.harness.work.StylizeProgress

/** Stylization of a photo or the camera with one artifact. */
class StylizeActivity : Activity() {
    private val model: StylizeModel get() = (application as HarnessApp).stylize
    private lateinit var camera: CameraFeed
    private var shown: Bitmap? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_stylize)
        camera = CameraFeed(this, model::chosenFile, model::stylizeFrame) { reason ->
            findViewById<TextView>(R.id.note).text = reason
            showCamera()
        }
        val name = intent.getStringExtra(Widgets.ARTIFACT)
        // Null after the process was killed, or the artifact was replaced.
        val artifact = (application as HarnessApp).library.find(name) ?: return finish()
        title = artifact.manifest.network.name
        model.open(artifact)
        setListeners()
    }

    override fun onStart() {
        super.onStart()
        model.state.observe(::show)
    }

    override fun onStop() {
        camera.stop()
        model.state.removeObserver()
        if (isFinishing) model.unload()
        super.onStop()
    }

    private fun setListeners() {
        onClick(R.id.photo) { pick(PICK_PHOTO) }
        onClick(R.id.style_image) { pick(PICK_STYLE) }
        onClick(R.id.camera) { switchCamera() }
        onClick(R.id.stop) { model.stop() }
        onClick(R.id.share) {
            model.share { file ->
                startActivity(SharedFiles.chooser(this, file, SharedFiles.PNG))
            }
        }
        onClick(R.id.benchmark) {
            val name = intent.getStringExtra(Widgets.ARTIFACT)
            val benchmark = Intent(this, BenchmarkActivity::class.java)
            startActivity(benchmark.putExtra(Widgets.ARTIFACT, name))
        }
        Widgets.setItems(this, findViewById(R.id.delegate), DelegateKind.NAMES)
        onChoice(R.id.file) { model.choose { choices -> choices.copy(file = it) } }
        onChoice(R.id.delegate) {
            model.choose { choices -> choices.copy(delegate = DelegateKind.entries[it]) }
        }
        onChoice(R.id.first) { model.choose { choices -> choices.copy(first = style(it)) } }
        onChoice(R.id.second) { model.choose { choices -> choices.copy(second = style(it)) } }
        onSlide(R.id.blend) { model.choose { choices -> choices.copy(blend = it) } }
        onSlide(R.id.stability) { model.choose { choices -> choices.copy(stability = it) } }
        onSlide(R.id.strength) { model.choose { choices -> choices.copy(strength = it) } }
        onChoice(R.id.iterations) {
            val state = model.state.value
            val iterations = iterationChoices(state)[it]
            if (state.isOptimization && iterations != state.iterations) {
                model.choose { choices -> choices.copy(iterations = iterations) }
            }
        }
        findViewById<CheckBox>(R.id.full_size).setOnCheckedChangeListener { _, isChecked ->
            model.choose { it.copy(isFullSize = isChecked) }
        }
    }

    private fun onClick(id: Int, action: () -> Unit) =
        findViewById<Button>(id).setOnClickListener { action() }

    private fun onChoice(id: Int, action: (Int) -> Unit) =
        Widgets.onChoice(findViewById(id), action)

    private fun onSlide(id: Int, action: (Float) -> Unit) =
        Widgets.onSlide(findViewById(id), action)

    /** Return numbers of iterations to choose from, with the chosen one. */
    private fun iterationChoices(state: StylizeModel.State): List<Int> =
        (ITERATIONS + state.iterations).filter { it > 0 }.distinct().sorted()

    private fun style(index: Int) = model.state.value.styles.getOrNull(index)

    private fun show(state: StylizeModel.State) {
        val choices = state.choices
        setItems(R.id.file, state.files.map { it.path }, choices.file)
        findViewById<Spinner>(R.id.delegate).setSelection(choices.delegate.ordinal)
        for ((id, style) in listOf(R.id.first to choices.first, R.id.second to choices.second)) {
            setItems(id, state.styles, state.styles.indexOf(style), state.thumbnails)
        }
        findViewById<View>(R.id.packed).visibility =
            if (state.styles.isEmpty()) View.GONE else View.VISIBLE
        showBlending(state.artifact?.manifest?.network?.codeLayout)
        showValue(R.id.blend, choices.blend)
        showValue(R.id.strength, choices.strength)
        showValue(R.id.stability, choices.stability)
        findViewById<CheckBox>(R.id.full_size).isChecked = choices.isFullSize
        findViewById<Button>(R.id.share).isEnabled = state.result != null
        state.result?.let {
            showPicture(it.bitmap)
            findViewById<TextView>(R.id.description).text =
                getString(R.string.result_line, it.milliseconds, it.description)
        }
        showOptimization(state)
        showProgress(state.progress)
        findViewById<TextView>(R.id.note).text = state.note.orEmpty()
        showCamera()
    }

    /** Show what an optimization needs in place of camera and tiles, and what tiles need. */
    private fun showOptimization(state: StylizeModel.State) {
        if (state.isOptimization && camera.isRunning) camera.stop()
        setVisible(R.id.camera, !state.isOptimization)
        for (id in listOf(R.id.full_size, R.id.stability, R.id.stability_label)) {
            setVisible(id, state.hasTiles == true)
        }
        setVisible(R.id.no_tiles, state.hasTiles == false)
        for (id in listOf(R.id.iterations, R.id.iterations_label)) {
            setVisible(id, state.isOptimization)
        }
        val choices = iterationChoices(state)
        setItems(R.id.iterations, choices.map(Int::toString), choices.indexOf(state.iterations))
    }

    private fun showProgress(progress: StylizeProgress?) {
        for (id in listOf(R.id.progress, R.id.stop)) setVisible(id, progress != null)
        // An optimization and a painting in tiles take minutes, without a touch.
        findViewById<ImageView>(R.id.result).keepScreenOn = progress != null
        if (progress == null) return
        val bar = findViewById<ProgressBar>(R.id.progress)
        bar.max = progress.total
        bar.progress = progress.done
        progress.preview?.let(::showPicture)
        val left = progress.secondsLeft
        findViewById<TextView>(R.id.description).text = if (left == null) {
            getString(R.string.iteration_line, progress.done, progress.total)
        } else {
            getString(R.string.tile_line, progress.done, progress.total, left)
        }
    }

    private fun showPicture(bitmap: Bitmap) {
        if (bitmap === shown) return
        shown = bitmap
        val fitted = Bitmaps.fitted(bitmap, MAX_SHOWN_SIDE)
        findViewById<ImageView>(R.id.result).setImageBitmap(fitted)
    }

    private fun setVisible(id: Int, isVisible: Boolean) {
        findViewById<View>(id).visibility = if (isVisible) View.VISIBLE else View.GONE
    }

    /** Say why codes blend approximately or not at all; where not at all, disable the blend. */
    private fun showBlending(layout: CodeLayoutFact?) {
        for (id in listOf(R.id.second, R.id.blend)) {
            findViewById<View>(id).isEnabled = layout?.blending != Blending.NONE
        }
        val note = findViewById<TextView>(R.id.blending)
        note.text = layout?.blendingNote.orEmpty()
        note.visibility = if (note.text.isEmpty()) View.GONE else View.VISIBLE
    }

    private fun showValue(id: Int, value: Float) {
        val bar = findViewById<SeekBar>(id)
        if (!bar.isPressed) bar.progress = (value * bar.max).toInt()
    }

    private fun setItems(
        id: Int, items: List<String>, selected: Int, pictures: Map<String, Bitmap> = emptyMap(),
    ) {
        val spinner = findViewById<Spinner>(id)
        Widgets.setItems(this, spinner, items, pictures)
        if (selected >= 0) spinner.setSelection(selected)
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

    @Deprecated("The replacement needs androidx, which this app does without")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data ?: return
        if (resultCode != RESULT_OK) return
        if (requestCode == PICK_PHOTO) model.setPhoto(uri) else model.setStyleImage(uri)
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
        // The results are empty if the user dismissed the dialog.
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
        const val MAX_SHOWN_SIDE = 2048

        /** Numbers of iterations to choose from, beside the artifact's own. */
        val ITERATIONS = listOf(10, 25, 50, 100, 250, 500)
    }
}
