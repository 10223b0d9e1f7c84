"""Channels brought to one range before they are quantized, exactly.

An activation has one scale for all its channels, so a channel of a tenth of the range keeps three
bits less. Multiplying channel c of a convolution's output by a gain g_c > 0 is free: it goes into
the weights and the bias. It is undone where the values are next used (Nagel et al. 2019, "Data-free
quantization through weight equalization and bias correction", equations 4 to 6, for a convolution
behind a ReLU; here behind instance statistics too):

- ReLU, padding, pooling and upsampling pass a gain on: f(g·x) = g·f(x).
- The next convolution divides its weights by it.
- Centring, squaring, means and roots turn it into g, g² and g again; the ε of a variance becomes
  g²·ε; the division of a centred map by its deviation cancels it. No operation is added.
- Anywhere else a multiplication by 1/g is added, on the smallest tensor that will do.

A map that is normalised before it is quantized takes its gains in the scale and shift of the norm.
The rewrite is proven in float64 like every pass.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule

from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import Outcome, Pass, apply_passes
from styleexport.exporter.quantize.gain_rules import GainRules, Gains

# A channel this much smaller than the largest gets no larger gain: other pictures may wake it.
LEAST_SHARE = 1 / 16


def equalization_scales(low: Tensor, high: Tensor, strength: float) -> Tensor:
    """Return the gain of each channel, ≥ 1, that brings its range towards the tensor's.

    Args:
        low: least value a channel, [C], at most 0.
        high: largest value a channel, [C], at least 0.
        strength: 0 leaves channels as they are, 1 gives all the same range.
    """
    shares = torch.maximum(
        high / high.max().clamp_min(1e-12), low / low.min().clamp_max(-1e-12)
    ).clamp(LEAST_SHARE, 1.0)
    return shares**-strength


def equalized(
    graph: Graph, gains: Gains, *, expand_norms: bool = False, proven: bool = True
) -> tuple[Graph, PassFact]:
    """Return the graph with gains on the channels of its layers, and what was done.

    Args:
        graph: float32.
        gains: layer → gain a channel, [C]: of convolutions' outputs, or of maps that a norm makes.
        expand_norms: whether instance norms are written out, so that no operation is added for
            their sake: for converters that write them out anyway.
        proven: see `apply_passes`.
    """

    def rewrite(module: GraphModule) -> Outcome:
        return GainRules(module, gains, expand_norms).run()

    rewritten, (fact,) = apply_passes(graph, (Pass("equalize", 0, rewrite),), proven=proven)
    return rewritten, fact
