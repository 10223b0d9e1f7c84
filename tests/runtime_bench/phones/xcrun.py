"""A program that plays ``xcrun devicectl`` for one phone; its answers are from memory.

Run as ``xcrun`` with $FAKE_IPHONE, a folder: ``facts.json`` says what is there, ``data`` is the
app's container, ``calls`` notes what was called.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

PHONE = Path(os.environ["FAKE_IPHONE"])
FACTS = json.loads((PHONE / "facts.json").read_text())
PID = 1234


def device(identifier: str) -> dict:
    return {
        "identifier": identifier,
        "connectionProperties": {
            "pairingState": FACTS.get("pairing", "paired"),
            "tunnelState": FACTS.get("tunnel", "connected"),
            "transportType": "wired",
        },
        "deviceProperties": {
            "name": f"Phone {identifier}",
            "osVersionNumber": "19.1",
            "developerModeStatus": FACTS.get("developer", "enabled"),
        },
        "hardwareProperties": {
            "platform": "iOS",
            "productType": "iPhone17,1",
            "marketingName": "iPhone 16 Pro",
            "udid": f"udid-{identifier}",
        },
    }


def value(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def answer(result: dict | None, reason: str = "") -> None:
    whole = {"info": {"outcome": "success" if result is not None else "failed", "version": "1"}}
    if result is not None:
        whole["result"] = result
    else:
        below = {"NSLocalizedDescription": {"string": reason}}
        whole["error"] = {
            "code": 7000,
            "domain": "com.apple.dt.CoreDeviceError",
            "userInfo": {
                "NSLocalizedDescription": {"string": "The operation failed."},
                "NSUnderlyingError": {"error": {"code": 1, "domain": "x", "userInfo": below}},
            },
        }
    text = "{]" if FACTS.get("no_json") else json.dumps(whole)
    Path(value("--json-output")).write_text(text)
    sys.exit(0 if result is not None else 1)


def copy(direction: str) -> None:
    data = PHONE / "data"
    if direction == "from":
        source = data / value("--source")
        if not source.exists():
            answer(None, "The file couldn’t be opened because there is no such file.")
        shutil.copyfile(source, value("--destination"))
        answer({})
    source, target = Path(value("--source")), data / value("--destination")
    if FACTS.get("fault") == "full" and source.is_dir():
        answer(None, "No space left on device")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        if "--remove-existing-content" in sys.argv:
            shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
    answer({})


def launch() -> None:
    from tests.runtime_bench.phones.app import App

    after = sys.argv[sys.argv.index("org.styleexport.harness") :]
    extras = dict(zip(after[1::2], after[2::2], strict=True))
    app = App(PHONE / "data" / "Documents", "ios", FACTS.get("fault", ""), FACTS.get("debuggable"))
    job, artifact = extras["--bench-job"], extras["--artifact"]
    if app.run(job.removeprefix("Documents/"), artifact.removeprefix("Documents/")):
        (PHONE / "alive").touch()
    if FACTS.get("fault") == "unplugged":
        (PHONE / "facts.json").write_text(json.dumps({"gone": True}))
        shutil.rmtree(PHONE / "data" / "Documents" / "reports")
    answer({"process": {"processIdentifier": PID}})


def main() -> None:
    words = " ".join(word for word in sys.argv[2:5])
    with (PHONE / "calls").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    if words.startswith("list devices"):
        answer({"devices": [device(name) for name in FACTS.get("devices", ["I1"])]})
    if FACTS.get("gone"):
        answer(None, "The device is not connected.")
    if words == "device info apps":
        apps = [] if FACTS.get("no_app") else [{"bundleIdentifier": "org.styleexport.harness"}]
        answer({"apps": apps})
    if words == "device info processes":
        there = [{"processIdentifier": PID}] if (PHONE / "alive").exists() else []
        answer({"runningProcesses": there})
    if words.startswith("device copy"):
        copy(words.split()[2])
    if words == "device process launch":
        launch()
    if words == "device process terminate":
        (PHONE / "alive").unlink(missing_ok=True)
        answer({})
    answer(None, f"unknown command {words}")


main()
