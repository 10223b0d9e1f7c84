package org.styleexport.harness.device

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import org.styleexport.contract.facts.StateFact
import org.styleexport.contract.facts.ThermalFact
import org.styleexport.contract.facts.ThermalScale

/** State of this phone that affects measurements. */
class DeviceState(private val context: Context) {
    private val power = context.getSystemService(PowerManager::class.java)

    /** Return the current state. */
    fun now(): StateFact {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        return StateFact(
            thermal = thermal(),
            temperaturesCelsius = temperatures(battery),
            batteryPercent = percent(battery),
            charging = charging(battery),
            lowPower = power.isPowerSaveMode,
            freeMemoryBytes = freeMemory(),
        )
    }

    private fun thermal(): ThermalFact? {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return null
        return ThermalFact(ThermalScale.ANDROID, power.currentThermalStatus.toDouble())
    }

    private fun temperatures(battery: Intent?): Map<String, Double> {
        val tenths = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, UNKNOWN) ?: UNKNOWN
        return if (tenths == UNKNOWN) emptyMap() else mapOf("battery" to tenths / 10.0)
    }

    private fun percent(battery: Intent?): Double? {
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, UNKNOWN) ?: return null
        val scale = battery.getIntExtra(BatteryManager.EXTRA_SCALE, UNKNOWN)
        return if (level < 0 || scale <= 0) null else 100.0 * level / scale
    }

    private fun charging(battery: Intent?): Boolean? {
        val plugged = battery?.getIntExtra(BatteryManager.EXTRA_PLUGGED, UNKNOWN) ?: UNKNOWN
        return if (plugged == UNKNOWN) null else plugged != 0
    }

    private fun freeMemory(): Long = ActivityManager.MemoryInfo().also {
        context.getSystemService(ActivityManager::class.java).getMemoryInfo(it)
    }.availMem

    private companion object {
        const val UNKNOWN = Int.MIN_VALUE
    }
}
