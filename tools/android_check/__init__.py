"""Checks of the Android app that need none of Android's own tools: ``make android-check``."""
