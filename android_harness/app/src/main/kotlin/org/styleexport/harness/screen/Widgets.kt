package org.styleexport.harness.screen

import android.R.layout
import android.app.Activity
import android.graphics.Bitmap
import android.graphics.drawable.BitmapDrawable
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView

/** Helpers of the screens. */
internal object Widgets {
    /** Intent extra with the folder name of an artifact. */
    const val ARTIFACT = "artifact"

    /** Side of a picture beside an item; a row of a drop-down list is 48 dp high. */
    private const val PICTURE_DP = 40

    /**
     * Set the items of a spinner; unchanged items keep the selection.
     *
     * @param pictures item → picture beside it; an item without one is its name alone.
     */
    fun setItems(
        activity: Activity, spinner: Spinner, items: List<String>,
        pictures: Map<String, Bitmap> = emptyMap(),
    ) {
        val current = spinner.adapter?.let { old -> List(old.count) { old.getItem(it) } }
        if (current == items) return
        val adapter = PictureAdapter(activity, items, pictures)
        adapter.setDropDownViewResource(layout.simple_spinner_dropdown_item)
        spinner.adapter = adapter
    }

    /** Adapter of names, with pictures beside them that screen readers pass over. */
    private class PictureAdapter(
        activity: Activity, items: List<String>, private val pictures: Map<String, Bitmap>,
    ) : ArrayAdapter<String>(activity, layout.simple_spinner_item, items) {
        private val side = (PICTURE_DP * activity.resources.displayMetrics.density).toInt()

        override fun getView(position: Int, convertView: View?, parent: ViewGroup): View =
            withPicture(super.getView(position, convertView, parent), position)

        override fun getDropDownView(position: Int, convertView: View?, parent: ViewGroup): View =
            withPicture(super.getDropDownView(position, convertView, parent), position)

        private fun withPicture(view: View, position: Int): View {
            val picture = pictures[getItem(position)]?.let { BitmapDrawable(context.resources, it) }
            picture?.setBounds(0, 0, side, side)
            (view as TextView).setCompoundDrawablesRelative(picture, null, null, null)
            view.compoundDrawablePadding = side / 4
            return view
        }
    }

    /** Call an action with the position that the user selects. */
    fun onChoice(spinner: Spinner, action: (Int) -> Unit) {
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(
                parent: AdapterView<*>?, view: View?, position: Int, id: Long,
            ) = action(position)

            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
    }

    /** Call an action with a slider's value, 0..1, when the user moves it. */
    fun onSlide(bar: SeekBar, action: (Float) -> Unit) {
        bar.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                if (fromUser) action(progress.toFloat() / bar.max)
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
    }
}
