"""Style codes that ship with the package, computed from public-domain paintings.

A file of codes belongs to one network's weights, by their sha256: a code of other weights is
numbers without meaning. The paintings are not in the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from styleexport.core.arrays import Array
from styleexport.core.assets import folder
from styleexport.core.errors import UsageError


class ShippedStyle(Struct, frozen=True, kw_only=True):
    """A painting whose style code ships with the package.

    Attributes:
        name: name typed on the command line.
        title: title of the painting.
        author: painter.
        year: year or years of the painting, in words.
        source: file that the code was computed from.
    """

    name: str
    title: str
    author: str
    year: str
    source: str


class ShippedStyleSet(Struct, frozen=True, kw_only=True):
    """Metadata of a file of shipped codes.

    Attributes:
        network: name of the network.
        weights_sha256: sha256 of the weights that the codes belong to.
        size: side in pixels of the paintings that were encoded.
        styles: paintings, in the order of the list.
    """

    network: str
    weights_sha256: str
    size: int
    styles: tuple[ShippedStyle, ...]

    def encoded(self) -> dict[str, str]:
        """Return the metadata as safetensors stores it."""
        return {"styles": msgspec.json.encode(self).decode()}


@dataclass(frozen=True)
class StyleFile:
    """A file of shipped codes.

    Attributes:
        path: safetensors file, one float32 code [1, K] per style.
        facts: its metadata.
    """

    path: Path
    facts: ShippedStyleSet

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the styles."""
        return tuple(style.name for style in self.facts.styles)

    def codes(self, names: tuple[str, ...] = ()) -> dict[str, Array]:
        """Return style codes [1, K] by name; all without names.

        Raises:
            UsageError: no such style.
        """
        from safetensors.numpy import load_file

        held = load_file(self.path)
        for name in names:
            if name not in held:
                raise UsageError(
                    f"no style {name!r} ships for {self.facts.network}, got {', '.join(names)}; "
                    f"allowed: {', '.join(self.names)}"
                )
        return {name: held[name] for name in names or self.names}


def style_files() -> tuple[StyleFile, ...]:
    """Return the files of codes that ship with the package, by name."""
    return tuple(
        read_style_file(path) for path in sorted((folder() / "styles").glob("*.safetensors"))
    )


def read_style_file(path: Path) -> StyleFile:
    """Return a file of codes with its metadata."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    return StyleFile(path, msgspec.json.decode(metadata["styles"], type=ShippedStyleSet))


def styles_of_weights(network: str, sha256: str) -> StyleFile | None:
    """Return the codes of a network with weights of a sha256; None where none ship."""
    return next(
        (
            file
            for file in style_files()
            if (file.facts.network, file.facts.weights_sha256) == (network, sha256)
        ),
        None,
    )
