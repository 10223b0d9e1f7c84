"""Chromium on a page, driven through its debugging pipe: it runs scripts as a user's clicks do."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from styleexport.runtime_bench.runners.browser import _chromium

SECONDS = 90.0


class NoAnswer(Exception):
    """Chromium refuses a command."""


class DrivenPage:
    """A page of Chromium, by the DevTools protocol: JSON messages that end with a zero byte."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._rest = 0, b""
        end = time.monotonic() + SECONDS
        while not (pages := self._pages()):
            assert time.monotonic() < end, "Chromium opened no page"
            time.sleep(0.05)
        attached = self._ask("Target.attachToTarget", targetId=pages[0], flatten=True)
        self._session = attached["sessionId"]
        self.console: list[str] = []
        for domain in ("Runtime", "Log", "Page"):
            self._ask(f"{domain}.enable", self._session)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; that of a promise when it is settled."""
        asked = self._ask(
            "Runtime.evaluate",
            self._session,
            expression=script,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in asked, asked
        return asked["result"].get("value")

    def open(self, url: str) -> None:
        """Open another address in the place of the page; what its console said is forgotten."""
        self.console.clear()
        self._ask("Page.navigate", self._session, url=url)
        self.wait_for("document.readyState === 'complete'")

    def before_load(self, script: str) -> None:
        """Run a script at the beginning of every page that is opened from now on."""
        self._ask("Page.addScriptToEvaluateOnNewDocument", self._session, source=script)

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(NoAnswer):
                if self.run(f"Boolean({condition})"):
                    return
            assert time.monotonic() < end, f"{condition} is never true"
            time.sleep(0.05)

    def look(self, width: int, scheme: str, height: int = 900) -> None:
        """Show the page in a window of some pixels, light or dark."""
        mobile = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self._ask("Emulation.setDeviceMetricsOverride", self._session, **size)
        chosen = [{"name": "prefers-color-scheme", "value": scheme}]
        self._ask("Emulation.setEmulatedMedia", self._session, features=chosen)

    def picture(self, *, whole: bool = True) -> bytes:
        """Return a PNG of the page, of all of it or of what the window shows."""
        asked = self._ask(
            "Page.captureScreenshot", self._session, format="png", captureBeyondViewport=whole
        )
        return base64.b64decode(asked["data"])

    def text(self, element: str) -> str:
        """Return the text of an element; "" while there is none."""
        return self.run(f"document.getElementById({element!r})?.textContent ?? ''")

    def wait(self, element: str, words: str) -> str:
        """Wait until the text of an element holds words; return it."""
        end = time.monotonic() + SECONDS
        text = ""
        while words not in text:
            assert time.monotonic() < end, f"{text!r} does not hold {words!r}"
            time.sleep(0.05)
            # While the page is loaded there is nothing to ask.
            with contextlib.suppress(NoAnswer):
                text, trouble = self.text(element), self.text("trouble")
                assert not trouble, trouble
        return text

    def _listen(self, answer: dict[str, Any]) -> None:
        """Keep warnings and errors of the page's console."""
        given = answer.get("params", {})
        match answer.get("method"):
            case "Runtime.consoleAPICalled" if given["type"] in ("warning", "error", "assert"):
                words = [str(one.get("value", one.get("description"))) for one in given["args"]]
                self.console.append(f"{given['type']}: {' '.join(words)}")
            case "Runtime.exceptionThrown":
                self.console.append(f"exception: {given['exceptionDetails']}")
            case "Log.entryAdded" if given["entry"]["level"] in ("warning", "error"):
                entry = given["entry"]
                self.console.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")
            case _:
                pass

    def _pages(self) -> list[str]:
        targets = self._ask("Target.getTargets")["targetInfos"]
        return [one["targetId"] for one in targets if one["type"] == "page"]

    def _ask(self, method: str, session: str | None = None, **params: object) -> Any:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            raw, separator, rest = self._rest.partition(b"\0")
            if not separator:
                got = os.read(self._answers, 1 << 16)
                assert got, "Chromium ended"
                self._rest += got
                continue
            self._rest = rest
            answer = json.loads(raw)
            self._listen(answer)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise NoAnswer(f"{method}: {answer['error']}")
                return answer["result"]


@contextlib.contextmanager
def driven(url: str) -> Iterator[DrivenPage]:
    """Yield a page at an address; Chromium ends with the block."""
    program = _chromium.executable()
    assert program is not None
    (theirs_in, commands), (answers, theirs_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = _chromium._command(program, url, Path(profile), webgpu=False)
        # Chromium reads from file descriptor 3 and writes to 4.
        renumbered = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        process = subprocess.Popen(
            ["bash", "-c", renumbered, "bash", command[0], "--remote-debugging-pipe", *command[1:]],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield DrivenPage(commands, answers)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for descriptor in (theirs_in, commands, answers, theirs_out):
                os.close(descriptor)
