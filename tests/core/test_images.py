"""Pictures of every kind are read as upright RGB; what is no picture is refused in one line."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleexport.core.errors import BadImage, DeviceError, UsageError
from styleexport.core.images import (
    IMAGE_SUFFIXES,
    array_from_image,
    image_from_array,
    read_image,
    write_image,
)

RAMP = np.stack(
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4) * 20,
        np.arange(12, dtype=np.uint8).reshape(3, 4)[::-1] * 10,
        np.full((3, 4), 77, np.uint8),
    ],
    axis=2,
)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def pixels(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def png_claiming(path: Path, width: int, height: int) -> Path:
    """Write a PNG of a few bytes whose header claims a size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def test_grey_becomes_three_equal_channels(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP[:, :, 0]))
    assert (pixels(path) == RAMP[:, :, :1]).all()


def test_transparent_pixels_show_the_background(tmp_path):
    alpha = np.full((3, 4), 255, np.uint8)
    alpha[0] = 0
    path = saved(tmp_path / "a.png", Image.fromarray(np.dstack([RAMP, alpha])))
    assert (pixels(path)[0] == 255).all()
    assert (pixels(path)[1:] == RAMP[1:]).all()
    assert (np.asarray(read_image(path, background=(1, 2, 3)))[0] == (1, 2, 3)).all()


def test_half_transparent_grey_is_mixed_with_the_background(tmp_path):
    grey = np.dstack([np.zeros((3, 4), np.uint8), np.full((3, 4), 128, np.uint8)])
    path = saved(tmp_path / "a.png", Image.fromarray(grey, "LA"))
    assert (np.abs(pixels(path).astype(int) - 127) <= 1).all()


def test_palette_with_a_transparent_entry(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    path = saved(tmp_path / "a.png", image, transparency=0)
    assert pixels(path).tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_cmyk_jpeg(tmp_path):
    image = Image.new("RGB", (16, 16), (200, 60, 30)).convert("CMYK")
    path = saved(tmp_path / "a.jpg", image, quality=95)
    assert np.abs(pixels(path).astype(int) - (200, 60, 30)).max() <= 6


@pytest.mark.parametrize("top", [65535, 200])
def test_sixteen_bit_grey_is_scaled_by_its_depth(tmp_path, top):
    values = np.array([[0, top // 2, top]], np.uint16)
    path = saved(tmp_path / "a.png", Image.fromarray(values))
    with Image.open(path) as opened:
        assert opened.mode.startswith("I;16")
    expected = (values / 257).round().astype(np.uint8)
    assert (pixels(path) == expected[:, :, None]).all()


@pytest.mark.parametrize("mode", ["1", "HSV", "YCbCr", "LAB", "I", "F"])
def test_rare_modes_are_read_or_refused_in_one_line(tmp_path, mode):
    rgb = Image.fromarray(RAMP)
    image = rgb.convert("L").convert(mode) if mode in "1IF" else None
    if image is None:
        image = Image.merge(mode, rgb.split()) if mode == "LAB" else rgb.convert(mode)
    suffix = "tif" if mode in ("LAB", "YCbCr", "F", "I") else "png"
    path = tmp_path / f"a.{suffix}"
    try:
        image.save(path)
    except OSError:
        pytest.skip(f"Pillow writes no {mode} file")
    try:
        assert pixels(path).shape == (3, 4, 3)
    except BadImage as error:
        assert "\n" not in str(error)


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_undone(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP), exif=exif)
    assert (pixels(path) == UPRIGHT[orientation](RAMP)).all()


def test_a_wrong_exif_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 42
    path = saved(tmp_path / "a.png", Image.fromarray(RAMP), exif=exif)
    assert (pixels(path) == RAMP).all()


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue", "lime")]
    path = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert (pixels(path) == (255, 0, 0)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (20000, 8)])
def test_extreme_shapes(tmp_path, size):
    path = saved(tmp_path / "a.png", Image.new("RGB", size, (9, 8, 7)))
    assert read_image(path).size == size


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["is not an image", ".jpg"]),
        (b"hello, I am a text file\n", ["is not an image", ".jpg"]),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ["is not an image", ".jpg"]),
        (b"\x89PNG\r\n\x1a\n", ["a.png"]),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content, parts):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadImage) as caught:
        read_image(path)
    assert all(part in str(caught.value) for part in parts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".tif", ".bmp"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadImage, match=r"damaged|not an image") as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(BadImage, match="type the path of an image file"):
            read_image(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = png_claiming(tmp_path / "bomb.png", 60000, 60000)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(BadImage, match=r"3600 million pixels, more than the 512 million allowed"):
        read_image(path)
    path = png_claiming(tmp_path / "large.png", 30000, 20000)
    with pytest.raises(BadImage, match=r"30000x20000 pixels, more than the 512 million allowed"):
        read_image(path)


def test_reading_leaves_pillows_own_limit_alone(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(BadImage):
        read_image(png_claiming(tmp_path / "bomb.png", 60000, 60000))
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("suffix", sorted({".jpg", ".png", ".webp", ".gif", ".tif", ".bmp"}))
def test_damaged_bytes_never_raise_anything_else(tmp_path, suffix):
    generator = np.random.default_rng(7)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if suffix in (".jpg", ".png", ".webp") else {}
    buffer = saved(tmp_path / f"a{suffix}", Image.fromarray(RAMP), **options).read_bytes()
    path = tmp_path / f"b{suffix}"
    for _ in range(60):
        damaged = bytearray(buffer)
        for _ in range(int(generator.integers(1, 6))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        path.write_bytes(bytes(damaged))
        try:
            assert read_image(path).mode == "RGB"
        except BadImage as error:
            assert "\n" not in str(error)


def test_arrays_and_pictures_are_each_others_inverse():
    image = Image.fromarray(RAMP)
    array = array_from_image(image)
    assert array.shape == (1, 3, 3, 4)
    assert array.dtype == np.float32
    assert (np.asarray(image_from_array(array)) == RAMP).all()


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_read_is_written_too(tmp_path, suffix):
    path = tmp_path / f"new/a{suffix}"
    write_image(Image.fromarray(RAMP), path)
    assert read_image(path).size == (4, 3)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a", "a.txt", "a.psd", "a.pdf"])
def test_a_name_without_a_picture_suffix_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"no picture suffix.*type for example -o .*a\.png"):
        write_image(Image.fromarray(RAMP), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_a_format_that_cannot_hold_the_size_is_named(tmp_path, suffix):
    with pytest.raises(UsageError, match=r"cannot hold a picture of 70000x2 .*a\.png instead"):
        write_image(Image.new("RGB", (70000, 2)), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_picture_is_not_half_written_on_a_full_disk(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DeviceError, match=r"No space left on device.*choose another place"):
        write_image(Image.fromarray(RAMP), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_an_image_of_another_format_than_its_suffix_is_read(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "PNG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert (pixels(tmp_path / "a.jpg") == RAMP).all()
