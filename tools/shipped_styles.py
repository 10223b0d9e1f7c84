"""Style codes of public-domain paintings, written for the package.

    python -m tools.shipped_styles PICTURES NETWORK

PICTURES is a folder with the paintings at the paths below (``train`` and ``eval`` of the project's
shared images); NETWORK is a network with shipped weights. It writes
``styleexport/assets/styles/NETWORK.safetensors``: codes, names and the sha256 of the weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from styleexport.core.assets import folder
from styleexport.core.files import replace_file
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.shipped_styles import ShippedStyle, ShippedStyleSet
from styleexport.core.types import Role, Size
from styleexport.models.networks._open import open_network

SIDE = 512


def _style(name: str, title: str, author: str, year: str, source: str) -> ShippedStyle:
    return ShippedStyle(name=name, title=title, author=author, year=year, source=source)


# The painters died before 1955: public domain by age where copyright lasts 70 years after death.
STYLES = (
    _style(
        "starry-night",
        "The Starry Night",
        "Vincent van Gogh",
        "1889",
        "eval/style/pd_vangogh_starry_night.jpg",
    ),
    _style(
        "shipwreck",
        "The Wreck of a Transport Ship",
        "J. M. W. Turner",
        "about 1810",
        "eval/style/pd_turner_shipwreck.jpg",
    ),
    _style(
        "water-lilies",
        "Water Lilies",
        "Claude Monet",
        "1919",
        "eval/style/pd_monet_water_lilies_1919.jpg",
    ),
    _style(
        "metzinger",
        "Portrait of Metzinger",
        "Robert Delaunay",
        "1906",
        "eval/style/pd_delaunay_metzinger_1906.jpg",
    ),
    _style("udnie", "Udnie", "Francis Picabia", "1913", "eval/style/pd_picabia_udnie.jpg"),
    _style(
        "street-pavers",
        "The Street Pavers",
        "Umberto Boccioni",
        "1914",
        "eval/style/pa_The_Street_Pavers.jpg",
    ),
    _style(
        "grande-jatte",
        "A Sunday on La Grande Jatte",
        "Georges Seurat",
        "1884 to 1886",
        "eval/style/ig_seurat-grande-jatte.jpg",
    ),
    _style(
        "adele",
        "Portrait of Adele Bloch-Bauer I",
        "Gustav Klimt",
        "1907",
        "eval/style/pa_Adele_Bloch-Bauer_s_Portrait.jpg",
    ),
)


def write_codes(
    pictures: Path, network: str, out: Path, styles: Sequence[ShippedStyle] = STYLES
) -> Path:
    """Encode paintings with a network's shipped weights and return the file written.

    Args:
        pictures: folder that the styles' sources are relative to.
        network: name of the network.
        out: folder to write ``NETWORK.safetensors`` to.
        styles: paintings to encode.
    """
    loaded = open_network(network)
    encode = loaded.role_module(Role.ENCODE)
    codes = {}
    for style in styles:
        picture = centre_crop(read_image(pictures / style.source), Size(SIDE, SIDE))
        with torch.inference_mode():
            code = encode(torch.from_numpy(array_from_image(picture)))
        codes[style.name] = np.ascontiguousarray(code.numpy())
    facts = ShippedStyleSet(
        network=network,
        weights_sha256=loaded.source_sha256,
        size=SIDE,
        styles=tuple(styles),
    )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{network}.safetensors"
    with replace_file(path) as part:
        part.write_bytes(save(codes, metadata=facts.encoded()))
    return path


def main() -> None:
    """Write the codes of the network named on the command line."""
    parser = argparse.ArgumentParser(description="Encode paintings for the package.")
    parser.add_argument("pictures", type=Path, help="folder that holds train/ and eval/")
    parser.add_argument("network", help="network with shipped weights")
    given = parser.parse_args()
    path = write_codes(given.pictures, given.network, folder() / "styles")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
