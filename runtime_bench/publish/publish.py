"""The folder that a model hub takes: an artifact with its card, licence, pictures and checksums."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE
from styleexport.core.assets import folder as assets
from styleexport.core.card_file import CARD_NAME
from styleexport.core.errors import UsageError
from styleexport.core.files import Product, is_scratch, replace_folder
from styleexport.core.images import read_image
from styleexport.core.input_files import read_input
from styleexport.core.manifest import (
    Manifest,
    foreign_files,
    read_manifest,
    sha256_of_file,
    write_manifest,
)
from styleexport.core.pictures import centre_crop
from styleexport.core.shipped_styles import styles_of_weights
from styleexport.core.types import Progress, Size
from styleexport.runtime_bench.publish.card import OTHER, licence_id, model_card
from styleexport.runtime_bench.stylize.stylizer import Stylizer

SUMS, LICENCE, PICTURE = "SHA256SUMS", "LICENSE", "figures/sample.jpg"
SIDE, STYLES = 384, 3  # of the sample: pixels of a picture, and paintings


@dataclass(frozen=True)
class Published:
    """A folder for a model hub.

    Attributes:
        folder: where it is.
        files: its files, sorted, as paths below it.
        remarks: what is left to do before it is uploaded.
        command: command that uploads it, with USER to be replaced.
    """

    folder: Path
    files: tuple[str, ...]
    remarks: tuple[str, ...]
    command: str


def _recognises(folder: Path) -> bool:
    """Whether a folder was published: an artifact, and nothing but what its checksums list."""
    lines = read_input(folder / SUMS).decode().splitlines()
    listed = {line.split("  ", 1)[1] for line in lines}
    unlisted = set(foreign_files(folder)) - listed - {SUMS}
    return not unlisted and all(not is_altered(folder, line) for line in lines)


def is_altered(folder: Path, line: str) -> bool:
    """Whether a file is not that of a line of SHA256SUMS: ``sha256  path``."""
    digest, path = line.split("  ", 1)
    return not (folder / path).is_file() or sha256_of_file(folder / path) != digest


PUBLISHED = Product("a folder as it was published, with no other files in it", _recognises)


def publish(artifact: Path, out: Path, progress: Progress = lambda _: None) -> Published:
    """Write the folder of an artifact that a model hub takes, whole or not at all.

    It is an artifact too: what the manifest lists is copied as it is. A card, the licence's text,
    sample pictures and SHA256SUMS of all files are added.

    Args:
        artifact: artifact folder; every file is checked against its sha256.
        out: folder to write; an earlier one is replaced where nothing in it was altered.
        progress: receives lines of progress.

    Raises:
        BadArtifact: the artifact is incomplete or altered.
        UsageError: something else is at ``out``, or it is the artifact itself.
        DeviceError: the folder is not writable, or no runner for a file can run here.
    """
    manifest = read_manifest(artifact)
    place, source = out.resolve(), artifact.resolve()
    if place == source or place in source.parents or source in place.parents:
        raise UsageError(f"{out} is or holds {artifact}: type another folder with -o")
    with replace_folder(out, PUBLISHED, progress) as part:
        for path in manifest.known_paths():
            _copy(artifact / path, part / path)
        write_manifest(manifest, part)
        picture = _paint_sample(part, manifest, progress)
        (part / CARD_NAME).write_text(model_card(manifest, picture), encoding="utf-8")
        (part / LICENCE).write_text(licence_text(manifest), encoding="utf-8")
        files = sorted(
            path.relative_to(part).as_posix()
            for path in part.rglob("*")
            if path.is_file() and not is_scratch(path)
        )
        sums = "".join(f"{sha256_of_file(part / path)}  {path}\n" for path in files)
        (part / SUMS).write_text(sums, encoding="utf-8")
    remarks = ()
    if licence_id(manifest.network) == OTHER:
        remarks = (
            f"the licence of the weights is not known: put its text into {out / LICENCE}, and its "
            f"name into the first lines of {out / CARD_NAME}",
        )
    command = f"hf upload USER/{manifest.network.name} {out}"
    return Published(out, (*files, SUMS), remarks, command)


def licence_text(manifest: Manifest) -> str:
    """Return the text of the licence, or what is known of it."""
    network = manifest.network
    texts = Path(__file__).parent / "licences"
    name = network.licence.split(" ")[0]
    known = texts / f"{name}.txt"
    head = (
        f"{network.name}: {network.licence}\nWeights: {', '.join(network.source)}\n{network.paper}"
    )
    text = (
        known.read_text(encoding="utf-8")
        if known.is_file()
        else "The files are under the licence of the weights that they were made of, sha256 "
        f"{network.source_sha256}.\n"
    )
    return f"{head}\n\n{text}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _paint_sample(folder: Path, manifest: Manifest, progress: Progress) -> str | None:
    """Write a photograph beside paintings of it; return the path below the folder.

    None where a painting takes minutes, or where no file paints.
    """
    if manifest.network.optimization is not None:
        progress("no sample pictures: the network paints by iterations")
        return None
    photo = read_image(assets() / DEMO_CONTENT)
    with Stylizer(folder) as stylizer:
        pictures = [photo, *(stylizer.stylize(photo, code) for code in _styles(stylizer))]
    progress(f"{PICTURE}: {len(pictures) - 1} paintings")
    _write_row(pictures, folder / PICTURE)
    return PICTURE


def _styles(stylizer: Stylizer) -> Sequence[Array | Image.Image | None]:
    """Return styles to paint in: codes of the artifact, those that ship, or a shipped picture."""
    if stylizer.is_fixed_style:
        return [None]
    if stylizer.takes_picture_only:
        return [read_image(assets() / DEMO_STYLE)]
    network = stylizer.manifest.network
    packed = [name for pack in stylizer.manifest.styles for name in pack.names]
    shipped = styles_of_weights(network.name, network.source_sha256)
    names = packed or list(shipped.names if shipped else ())
    if names:
        return [stylizer.packed(name) for name in names[:STYLES]]
    return [stylizer.encode(read_image(assets() / DEMO_STYLE))]


def _write_row(pictures: Sequence[Image.Image], path: Path) -> None:
    row = Image.new("RGB", (SIDE * len(pictures), SIDE))
    for place, picture in enumerate(pictures):
        square = centre_crop(picture, Size(SIDE, SIDE))
        row.paste(square, (SIDE * place, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    row.save(path, quality=90)
