"""Check of the app's Info.plist: required keys, and no permission but the camera."""

from __future__ import annotations

import plistlib
from typing import Any
from xml.parsers.expat import ExpatError

from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import HARNESS

PATH = HARNESS / "App" / "Info.plist"
REQUIRED = (
    "CFBundleDisplayName",
    "CFBundleExecutable",
    "CFBundleIdentifier",
    "CFBundleName",
    "CFBundlePackageType",
    "CFBundleShortVersionString",
    "CFBundleVersion",
    "UILaunchScreen",
)
# The app needs no network and no data of its user.
FORBIDDEN = ("Tracking", "Advertising", "SKAdNetwork", "NSAppTransportSecurity", "NSLocation")


def check() -> Outcome:
    """Return whether the app asks for the camera, with a reason, and for no other permission."""
    try:
        keys = plistlib.loads(PATH.read_bytes())
    except (OSError, ValueError, ExpatError) as error:
        return Outcome("Info.plist", "failed", (f"{PATH.name} cannot be read: {error}",))
    return Outcome.of(
        "Info.plist", faults(keys), f"{len(keys)} keys; the camera is all it asks for"
    )


def faults(keys: dict[str, Any]) -> list[str]:
    """Return what is wrong with the keys of an Info.plist."""
    faults = [f"{key} is missing" for key in REQUIRED if key not in keys]
    faults += [f"{key} does not belong here" for key in keys if any(w in key for w in FORBIDDEN)]
    permissions = {key for key in keys if key.endswith("UsageDescription")}
    if permissions != {"NSCameraUsageDescription"}:
        faults.append(f"asks for {sorted(permissions)}, expected the camera alone")
    elif len(str(keys["NSCameraUsageDescription"]).split()) < 4:
        faults.append("NSCameraUsageDescription gives no reason")
    if keys.get("CFBundleIdentifier") != "$(PRODUCT_BUNDLE_IDENTIFIER)":
        faults.append(
            "CFBundleIdentifier must be $(PRODUCT_BUNDLE_IDENTIFIER): project.yml names it"
        )
    return faults
