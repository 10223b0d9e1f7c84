"""Style codes that ship: of the weights that ship, and made again by the tool."""

from __future__ import annotations

import numpy as np
import pytest

from styleexport.core import assets
from styleexport.core.shipped_styles import read_style_file, style_files
from styleexport.core.types import Role
from styleexport.models.networks._open import open_network
from tools.shipped_styles import STYLES, write_codes


@pytest.mark.parametrize("file", style_files(), ids=lambda file: file.facts.network)
def test_codes_belong_to_the_weights_that_ship(file):
    """A failure means new weights: run `python -m tools.shipped_styles`."""
    loaded = open_network(file.facts.network)
    assert file.facts.weights_sha256 == loaded.source_sha256
    assert file.names == tuple(style.name for style in STYLES)
    assert file.path.stat().st_size < 60_000
    assert all(np.isfinite(code).all() and code.shape[0] == 1 for code in file.codes().values())


def test_the_tool_encodes_pictures_with_the_shipped_weights(tmp_path):
    import torch

    from styleexport.core.images import array_from_image, read_image
    from styleexport.core.pictures import centre_crop
    from styleexport.core.shipped_styles import ShippedStyle
    from styleexport.core.types import Size

    source = ShippedStyle(name="a", title="A", author="B", year="1900", source=assets.DEMO_STYLE)
    file = read_style_file(write_codes(assets.folder(), "adain-lite", tmp_path, [source]))
    encode = open_network("adain-lite").role_module(Role.ENCODE)
    image = centre_crop(read_image(assets.folder() / assets.DEMO_STYLE), Size(512, 512))
    expected = encode(torch.from_numpy(array_from_image(image))).detach().numpy()
    assert file.facts.styles == (source,)
    assert np.allclose(file.codes()["a"], expected, atol=1e-5)
