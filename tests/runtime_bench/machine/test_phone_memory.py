"""Whether phones have the memory for a file."""

from __future__ import annotations

import msgspec
import pytest

from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.machine.phone_memory import DEVICE_CLASSES, needed_bytes, verdicts
from tests.contract.arithmetic import ARTIFACT


def file_of(peak, size=2_000_000):
    fact = read_manifest(ARTIFACT).files[0]
    return msgspec.structs.replace(fact, peak_activation_bytes=peak, size_bytes=size)


def test_the_estimate_covers_what_the_desktop_held():
    # adain-lite transform: ONNX Runtime held 512 MB at 512x512 and 1766 MB at 1024x1024.
    assert 512e6 < (needed_bytes(file_of(68_000_000)) or 0) < 600e6
    assert 1766e6 < (needed_bytes(file_of(273_000_000)) or 0) < 2000e6


@pytest.mark.parametrize(
    ("peak", "expected"),
    [
        (1_000_000, ["fits", "fits", "fits", "fits"]),
        (100_000_000, ["tight", "fits", "fits", "fits"]),
        (273_000_000, ["no", "tight", "tight", "fits"]),
        (700_000_000, ["no", "no", "no", "no"]),
    ],
)
def test_a_phone_with_more_memory_never_does_worse(peak, expected):
    assert list(verdicts(file_of(peak)).values()) == expected
    assert list(verdicts(file_of(peak))) == [phone.name for phone in DEVICE_CLASSES]


def test_nothing_is_said_of_a_file_of_any_size():
    assert (needed_bytes(file_of(None)), verdicts(file_of(None))) == (None, {})
