"""Every network paints in tiles, or says which operation cannot be taken out of it."""

from __future__ import annotations

import pytest

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.core.types import Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.request import painting_role
from styleexport.exporter.tile_proof import prove
from styleexport.exporter.tiling.split import split
from styleexport.models.network_spec import NETWORKS
from tests.zoo import ALIKE, load_random, load_thin

SIZE = Size(128, 160)
# Margins of GoogLeNet's taps are wider than these windows.
WIDE = ("artnet",)
# Roots of covariances multiply differences of the last digit.
WHITENING = ("optimal-wct", "photo-wct", "wct")
NAMES = [name for name in plugins.names(NETWORKS) if name not in (*ALIKE, "adain")]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_paints_in_tiles_as_at_once(name):
    network = load_thin(name) if name == "adain-vgg19" else load_random(name)
    role = painting_role(network)
    if role is None:
        assert name.startswith("gatys")
        return
    graph, _ = apply_passes(capture(network, role, SIZE))
    parts = split(graph)
    if name in WIDE:
        with pytest.raises(UsageError, match=r"a larger --size"):
            prove(network, parts)
        return
    proof = prove(network, parts)
    least = 40 if graph.chooses else 80 if name in WHITENING else 110
    assert proof.tiled_db > least
