package org.styleexport.harness.screen

import android.R.layout
import android.app.Activity
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.SeekBar
import android.widget.Spinner

/** Helpers of the screens. */
internal object Widgets {
    /** Intent extra with the folder name of an artifact. */
    const val ARTIFACT = "artifact"

    /** Set the items of a spinner; unchanged items keep the selection. */
    fun setItems(activity: Activity, spinner: Spinner, items: List<String>) {
        val current = spinner.adapter?.let { old -> List(old.count) { old.getItem(it) } }
        if (current == items) return
        val adapter = ArrayAdapter(activity, layout.simple_spinner_item, items)
        adapter.setDropDownViewResource(layout.simple_spinner_dropdown_item)
        spinner.adapter = adapter
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
