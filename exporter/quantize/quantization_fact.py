"""Record in the manifest of what a file computes in int8, and what stays in float."""

from __future__ import annotations

from typing import Literal

from torch.fx import GraphModule

from styleexport.core.manifest import FloatIslandFact, QuantizationFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.thresholds import CHOICES
from styleexport.exporter.graph.graph import CHOSEN_BY, operation_of
from styleexport.exporter.graph.whitening import WHITENED, before_first_whitening

STATISTICS = ("mean", "sub", "mul", "div", "add", "sqrt", "rsqrt", "instance_norm")


def quantization_fact(
    module: GraphModule,
    recipe: Int8Recipe,
    scheme: Literal["qdq-static", "static"],
    activations: Literal["uint8", "int8", "uint16", "int16"],
) -> QuantizationFact:
    """Return the record of a file that follows a recipe."""
    reasons: dict[str, list[str]] = {}
    for float_layer in recipe.float_layers:
        reasons.setdefault(float_layer.reason, []).append(float_layer.layer)
    float_layers = [
        FloatIslandFact(ops=tuple(ops), reason=reason) for reason, ops in reasons.items()
    ]
    present = {operation_of(node) for node in module.graph.nodes}
    if ops := tuple(op for op in STATISTICS if op in present):
        float_layers.append(
            FloatIslandFact(ops=ops, reason="instance statistics lose 5 to 13 dB in int8")
        )
    if "linear" in present:
        reason = "linear layers compute in float; the weights of large ones are int8"
        float_layers.append(FloatIslandFact(ops=("linear",), reason=reason))
    if before_first_whitening(module.graph):
        float_layers.append(FloatIslandFact(ops=("matmul",), reason=WHITENED))
    if present.intersection(CHOICES):
        ops = tuple(op for op in ("matmul", *CHOICES) if op in present)
        float_layers.append(FloatIslandFact(ops=ops, reason=CHOSEN_BY))
    return QuantizationFact(
        scheme=scheme,
        weight_dtype="int8",
        activation_dtype=activations,
        per_channel=recipe.settings.weights == "per-channel",
        calibration=recipe.calibration,
        float_islands=tuple(float_layers),
    )
