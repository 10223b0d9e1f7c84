"""What the tests of bad input share: the command line in this process, and what it may leave."""

from __future__ import annotations

import json
import re
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleexport.__main__ import main

PROGRESS = re.compile(
    r"(?!error: )[\w.\-]+: (capture|write|parity|quality|ranges of .*|recipe .*)"
    r"|skipped: .*|\d+/\d+ .*|(pixels|scale) .*|weights: .*|risk in \d+ of .*"
)
# Lines that only a slow machine prints.
SLOW = re.compile(r": \d+ s so far$|, \d+ s left$")
Cli = Callable[..., "Outcome"]


class Outcome:
    """What a run of the command line left: exit code, stdout, progress and the line of error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        lines = [x for x in err.splitlines() if x.strip() and not SLOW.search(x)]
        self.progress = [line for line in lines if PROGRESS.fullmatch(line)]
        self.talk = [line for line in lines if not PROGRESS.fullmatch(line)]

    def refused(self, code: int, *parts: str) -> None:
        """Check that the run ended in ``code`` with one line that holds every part."""
        assert (self.code, len(self.talk)) == (code, 1), self.err
        missing = [part for part in parts if part not in self.talk[0]]
        assert not missing, f"{missing} not in {self.talk[0]}"
        assert self.talk[0].startswith("error: ")

    def fine(self) -> None:
        assert (self.code, self.talk) == (0, []), self.err


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Cli]:
    """Run the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    path = list(sys.path)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["styleexport", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        assert isinstance(caught.value.code, int)
        return Outcome(caught.value.code, *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)
    sys.path[:] = path


def nothing_at(out: Path) -> None:
    """Check that neither an output nor a part of one is there."""
    assert not out.exists()
    nothing_half_written(out.parent)


def nothing_half_written(folder: Path) -> None:
    left = [p for p in folder.rglob("*") if p.suffix in (".part", ".old")]
    assert not left


def module_file(name: str, body: str) -> str:
    """Write a module into the present folder; return how its ``build`` is called."""
    head = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"
    Path(f"{name}.py").write_text(head + textwrap.dedent(body))
    return f"{name}:build"


def network_file(name: str, forward: str) -> str:
    """Write a module whose network has this forward; return how it is called."""
    source = f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.conv = nn.Conv2d(3, 3, 3, padding=1)
                self.output_pixels = "0..1:clip"

            def forward(self, image):
                {forward}


        def build():
            return Net()
    """
    return module_file(name, source)


def picture(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    columns, rows = size
    values = np.random.default_rng(0).integers(0, 255, (rows, columns, 3), np.uint8)
    Image.fromarray(values).convert(mode).save(path)
    return path


def edit_manifest(artifact: Path, change: Callable[[dict], object]) -> None:
    path = artifact / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["styleexport", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run
