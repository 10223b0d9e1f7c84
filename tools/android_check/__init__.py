"""What can be checked of the Android app without Android's own tools: ``make android-check``."""
