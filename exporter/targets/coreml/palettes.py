"""Core ML weight compression: int8, and palettes of 16, 64 or 256 values.

Compressed weights make a package smaller; the arithmetic stays in float, and it is not faster by
itself. int8 is linear and symmetric with one scale an output channel. A palette is found by k-means
over a whole weight, with one thread: sums depend on the number of threads, and the bytes of a file
must not depend on the machine.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext

import coremltools as ct
from coremltools.optimize import coreml as cto

from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.core.types import Precision

BITS = {Precision.PALETTE4: 4, Precision.PALETTE6: 6, Precision.PALETTE8: 8}
# Weights of fewer elements are left as they are: their scales would take what they save.
SMALLEST = 512


def compress(
    model: ct.models.MLModel, precision: Precision
) -> tuple[ct.models.MLModel, QuantizationFact]:
    """Return the model with compressed weights, and how they are stored.

    Raises:
        MissingExtra: a palette is asked for, and scikit-learn is not installed.
    """
    threads: AbstractContextManager[object] = nullcontext()
    if precision is Precision.INT8_WEIGHTS:
        config = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric",
            dtype="int8",
            granularity="per_channel",
            weight_threshold=SMALLEST,
        )
        compressed = cto.linear_quantize_weights
    else:
        with needs(f"--precision {precision}"):  # coremltools raises an error without its name
            importlib.import_module("sklearn.cluster")
            threads = importlib.import_module("threadpoolctl").threadpool_limits(1)
        config = cto.OpPalettizerConfig(
            mode="kmeans", nbits=BITS[precision], weight_threshold=SMALLEST
        )
        compressed = cto.palettize_weights
    with quiet(), threads:
        result = compressed(model, cto.OptimizationConfig(global_config=config))
    assert isinstance(result, ct.models.MLModel)
    linear = precision is Precision.INT8_WEIGHTS
    return result, QuantizationFact(
        scheme="weights-only" if linear else "palette",
        weight_dtype="int8" if linear else f"uint{BITS[precision]}",  # pyright: ignore
        activation_dtype=None,
        per_channel=linear,
        calibration=None,
        float_islands=(
            FloatIslandFact(ops=("conv",), reason="only the weights are stored compressed"),
        ),
    )
