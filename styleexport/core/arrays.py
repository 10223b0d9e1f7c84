"""Types of named arrays, shared by exporters and runners."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
# Inputs by name, float32: images [N, 3, H, W] in 0..1, style codes [N, K], the strength [1].
Arrays = Mapping[str, Array]
# Function from inputs by name to outputs by name.
Run = Callable[[Arrays], dict[str, Array]]
