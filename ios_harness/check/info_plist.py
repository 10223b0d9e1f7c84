"""Is the app's Info.plist as it must be? Read with plistlib."""

from __future__ import annotations

import plistlib
from typing import Any
from xml.parsers.expat import ExpatError

from ios_harness.check.outcome import Outcome
from ios_harness.check.sources import HARNESS

PATH = HARNESS / "App" / "Info.plist"
REQUIRED = (
    "CFBundleDisplayName", "CFBundleExecutable", "CFBundleIdentifier", "CFBundleName",
    "CFBundlePackageType", "CFBundleShortVersionString", "CFBundleVersion", "UILaunchScreen",
)  # fmt: skip
# The app works without a network, and knows nothing of its user.
FORBIDDEN = ("Tracking", "Advertising", "SKAdNetwork", "NSAppTransportSecurity", "NSLocation")


def check() -> Outcome:
    """Return whether the app asks for the camera, with a reason, and for nothing else."""
    try:
        keys = plistlib.loads(PATH.read_bytes())
    except (OSError, ValueError, ExpatError) as error:
        return Outcome("Info.plist", "failed", (f"{PATH.name} cannot be read: {error}",))
    return Outcome.of(
        "Info.plist", faults(keys), f"{len(keys)} keys; the camera is all it asks for"
    )


def faults(keys: dict[str, Any]) -> list[str]:
    """Return what is wrong with the keys of an Info.plist."""
    found = [f"{key} is missing" for key in REQUIRED if key not in keys]
    found += [f"{key} does not belong here" for key in keys if any(w in key for w in FORBIDDEN)]
    asked = {key for key in keys if key.endswith("UsageDescription")}
    if asked != {"NSCameraUsageDescription"}:
        found.append(f"asks for {sorted(asked)}, expected the camera alone")
    elif len(str(keys["NSCameraUsageDescription"]).split()) < 4:
        found.append("NSCameraUsageDescription gives no reason")
    if keys.get("CFBundleIdentifier") != "$(PRODUCT_BUNDLE_IDENTIFIER)":
        found.append(
            "CFBundleIdentifier must be $(PRODUCT_BUNDLE_IDENTIFIER): project.yml names it"
        )
    return found
