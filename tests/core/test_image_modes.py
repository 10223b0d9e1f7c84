"""Pictures of every Pillow mode become 8-bit RGB of the right colours, or are refused."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from styleexport.core.errors import BadImage
from styleexport.core.image_modes import rgb_from_image
from styleexport.core.images import read_image

RAMP = np.tile(np.linspace(0, 1, 300, dtype=np.float32), (20, 1))
EIGHT_BITS = (RAMP * 255).round().astype(np.uint8)
WHITE = (255, 255, 255)


def saved(path: Path, values: np.ndarray | Image.Image, **options: object) -> Path:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    image.save(path, **options)
    return path


def grey(path: Path) -> np.ndarray:
    pixels = np.asarray(read_image(path))
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def linear_profile(space: str) -> bytes:
    """Return an ICC profile whose values are linear in light: sRGB's primaries, or grey."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(65536 * value)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 256) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    if space == "GRAY":
        tags[b"kTRC"] = curve
    else:
        primaries = {
            b"r": (0.4361, 0.2225, 0.0139),
            b"g": (0.3851, 0.7169, 0.0971),
            b"b": (0.1431, 0.0606, 0.7139),
        }
        for name, xyz in primaries.items():
            tags[name + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*xyz)
            tags[name + b"TRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s12s",
        128 + len(table) + len(body),
        b"lcms",
        0x02400000,
        b"mntr",
        space.ljust(4).encode(),
        b"XYZ ",
        bytes(12),
        b"acsp",
        bytes(28),
        fixed(0.9642, 1, 0.8249),
    )
    return header.ljust(128, b"\0") + table + body


@pytest.mark.parametrize(
    "values",
    [
        RAMP,
        RAMP * 1.04 - 0.02,
        RAMP * 255,
        (RAMP * 255).astype(np.int32),
        (RAMP * 65535).astype(np.int32),
        (RAMP * 65535).astype(np.uint16),
        (RAMP * 65535).astype(">u2"),
    ],
    ids=["0..1", "overshoot", "0..255", "int 0..255", "int 0..65535", "uint16", "big-endian"],
)
def test_a_tiff_of_more_than_8_bits_has_the_range_that_it_fills(tmp_path, values):
    found = grey(saved(tmp_path / "a.tif", values)).astype(int)
    assert abs(found.mean() - 127.5) < 1
    assert np.abs(found - EIGHT_BITS).max() <= (6 if values.min() < 0 else 1)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_a_black_picture_of_32_bits_is_black(tmp_path, dtype):
    assert (grey(saved(tmp_path / "a.tif", np.zeros((4, 5), dtype))) == 0).all()


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (RAMP * 2, "32-bit floats from 0 to 2"),
        (RAMP * 2 - 1, "32-bit floats from -1 to 1"),
        (RAMP * 1000, "32-bit floats from 0 to 1000"),
        (RAMP * 65535, "32-bit floats from 0 to 65535"),
        ((RAMP * 1000).astype(np.int32), "32-bit integers from 0 to 1000"),
        ((RAMP * 1.9).astype(np.int32), "32-bit integers from 0 to 1"),
        ((RAMP * 255 - 128).astype(np.int32), "32-bit integers from -128 to 127"),
        ((RAMP * 2e9).astype(np.int32), "32-bit integers from 0 to 2e+09"),
    ],
)
def test_a_range_that_is_not_clear_is_refused(tmp_path, values, parts):
    with pytest.raises(BadImage) as caught:
        read_image(saved(tmp_path / "a.tif", values))
    assert parts in str(caught.value)
    assert "save it with 8 or 16 bits a channel" in str(caught.value)


@pytest.mark.parametrize("place", [0, 77])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_floats_that_are_no_numbers_are_refused(tmp_path, value, place):
    values = RAMP.copy()
    values[0, place] = value
    with pytest.raises(BadImage, match=r"nan|inf|NaN"):
        read_image(saved(tmp_path / "a.tif", values))


def test_a_transparent_value_of_16_bits(tmp_path):
    values = (RAMP * 65535).astype(np.uint16)
    path = saved(tmp_path / "a.png", values, transparency=int(values[0, 10]))
    found = grey(path)
    assert (found[:, 10] == 255).all()
    assert (found[:, 11] == EIGHT_BITS[0, 11]).all()


@pytest.mark.parametrize("colour", [(200, 60, 30), (10, 10, 200), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "CMYK", "HSV", "RGBX", "RGBA"])
def test_colours_survive_their_mode(tmp_path, mode, colour):
    image = Image.new("RGB", (16, 16), colour)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
        path = saved(tmp_path / "a.tif", image)
        found = read_image(path)
    else:
        found = rgb_from_image(image.convert(mode), tmp_path, WHITE)
    assert np.abs(np.asarray(found, int) - colour).max() <= (22 if mode == "LAB" else 3)


@pytest.mark.parametrize("mode", ["La", "RGBa", "LA", "RGBA", "PA"])
def test_alpha_is_laid_over_the_background(tmp_path, mode):
    image = Image.new("LA", (4, 4), (100, 128))
    if mode == "PA":
        image = image.convert("RGBA").convert("PA")
        image.putalpha(128)
    elif mode != "LA":
        image = image.convert({"La": "La", "RGBa": "RGBA", "RGBA": "RGBA"}[mode])
        image = image.convert(mode) if mode == "RGBa" else image
    assert image.mode == mode
    found = np.asarray(rgb_from_image(image, tmp_path, (0, 0, 0)), int)
    assert np.abs(found - 50).max() <= 2


def test_premultiplied_alpha_of_a_tiff(tmp_path):
    image = Image.new("RGBA", (8, 8), (100, 50, 20, 128))
    path = saved(tmp_path / "a.tif", image)
    extra_samples = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert path.read_bytes().count(extra_samples) == 1
    path.write_bytes(path.read_bytes().replace(extra_samples, b"\x52\1\3\0\1\0\0\0\1\0\0\0"))
    found = np.asarray(read_image(path, background=(0, 0, 0)), int)
    # Stored as premultiplied, the values are what shows on black.
    assert np.abs(found - (100, 50, 20)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "space"),
    [("RGB", "RGB"), ("L", "GRAY"), ("L", "RGB"), ("RGBA", "RGB"), ("P", "RGB"), ("LA", "GRAY")],
)
def test_a_profile_is_applied(tmp_path, mode, space):
    image = Image.new("L", (4, 4), 128).convert(mode)
    path = saved(tmp_path / "a.png", image, icc_profile=linear_profile(space))
    # 128 / 255 of the light, by the curve of IEC 61966-2-1.
    assert np.abs(grey(path).astype(int) - 188).max() <= 1


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
        ("RGB", b"no profile"),
        ("RGB", linear_profile("RGB")[:150]),
        ("RGB", linear_profile("GRAY")),
        ("L", linear_profile("CMYK")),
    ],
    ids=["sRGB", "Lab", "damaged", "cut", "grey for colour", "CMYK for grey"],
)
def test_a_profile_that_changes_nothing_or_is_of_no_use_is_ignored(tmp_path, mode, profile):
    image = Image.fromarray(EIGHT_BITS).convert(mode)
    path = saved(tmp_path / "a.png", image, icc_profile=profile)
    assert (grey(path) == EIGHT_BITS).all()


MEASURE = """
import resource, sys
from pathlib import Path
from styleexport.core.images import read_image
small, large = map(Path, sys.argv[1:])
read_image(small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
height, width = read_image(large).size
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (height * width))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux")
@pytest.mark.parametrize("mode", ["F", "I;16", "LA", "RGBA", "CMYK", "P", "turned"])
def test_memory_stays_within_four_times_the_decoded_picture(tmp_path, mode):
    values = np.tile(RAMP, (100, 10))
    image = Image.fromarray((values * 255).astype(np.uint8))
    exif = Image.Exif()
    if mode == "F":
        image = Image.fromarray(values)
    elif mode == "I;16":
        image = Image.fromarray((values * 65535).astype(np.uint16))
    elif mode == "turned":
        image, exif[0x0112] = image.convert("RGB"), 6
    else:
        image = image.convert("RGB").convert(mode) if mode in ("CMYK", "P") else image.convert(mode)
    large = saved(tmp_path / "large.tif", image, exif=exif)
    small = saved(tmp_path / "small.tif", image.crop((0, 0, 1500, 800)), exif=exif)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, small, large], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) <= 4 * 3, "bytes a pixel"
