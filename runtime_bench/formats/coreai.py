"""Core AI assets: operations, storage, MACs, peak memory, and known risks on devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats._coreai import Asset, AssetOperation, AssetTensor, read_asset
from styleexport.runtime_bench.formats._coreai_graph import CoreaiGraph
from styleexport.runtime_bench.formats._float16 import TYPICAL_SQUARE
from styleexport.runtime_bench.formats._format import Description, Format

SUMS = ("reduce_mean", "reduce_sum")
FLOAT16 = "float16"
# As of Core ML programs: half of the memory of small phones.
MOST_BYTES = 2**30


class CoreaiFormat(Format):
    """Core AI, one ``.aimodel`` folder."""

    name = "coreai"
    suffix = ".aimodel"

    def describe(self, path: Path) -> Description:
        """Return the facts of an asset; of several functions, those of the largest pictures."""
        asset = read_asset(path)
        graph = CoreaiGraph.of(asset)
        peak = graph.peak()
        return Description(
            format="Core AI",
            version=f"asset {asset.metadata['assetVersion']}, iOS 27 or later",
            size_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
            macs=sum(map(graph.macs, graph.steps)),
            int8_mac_share=graph.int8_mac_share(),
            inputs=tuple(map(_in_words, graph.function.inputs)),
            outputs=tuple(map(_in_words, graph.function.outputs)),
            ops=dict(Counter(item.kind for item in graph.steps).most_common()),
            bytes_by_dtype=dict(graph.stored.most_common()),
            peak_activation_bytes=peak,
            risks=tuple(_risks(graph, peak)),
            about=dict(_about(asset, graph)),
        )


def _in_words(tensor: AssetTensor) -> str:
    sides = ", ".join("?" if side is None else str(side) for side in tensor.shape)
    return f"{tensor.name}: {tensor.dtype} [{sides}]"


def _about(asset: Asset, graph: CoreaiGraph) -> Iterator[tuple[str, str]]:
    """Yield the asset's metadata, and its functions where there are several."""
    names = {"description": "description", "author": "author", "licence": "license"}
    for key, stored in {**names, "made by": "producer"}.items():
        if asset.metadata.get(stored):
            yield key, str(asset.metadata[stored])
    own = asset.metadata.get("creatorDefinedMetadata")
    if isinstance(own, dict):
        yield from ((str(key), str(value)) for key, value in sorted(own.items()))  # pyright: ignore
    if len(asset.functions) > 1:
        others = ", ".join(name for name in asset.functions if name != graph.function.name)
        yield "functions", f"{graph.function.name} (the one described), {others}"


def _risks(graph: CoreaiGraph, peak: int) -> Iterator[RiskFact]:
    large = [item for item in graph.steps if _may_overflow(graph, item)]
    if large:
        first = max(large, key=lambda item: _summed(graph, item))
        more = f" and {len(large) - 1} more" if len(large) > 1 else ""
        yield RiskFact(
            where=f"{first.outputs[0].name}{more}",
            reason=f"adds {_summed(graph, first)} values a channel in float16, whose largest is "
            f"{LARGEST_FLOAT16}: it overflows where hardware keeps the sum in float16",
            remedy="export with styleexport coreai, which scales statistics and takes them over "
            "the width, then over the height",
        )
    if peak > MOST_BYTES:
        yield RiskFact(
            where="activations",
            reason=f"they take {peak / 2**30:.1f} GiB at their peak, by estimate: phones of 2 to 3 "
            "GB may end the app",
            remedy="export a smaller --size",
        )


def _summed(graph: CoreaiGraph, item: AssetOperation) -> int:
    """Return the number of values that a reduction adds up for each result."""
    return graph.tensors[item.inputs[0]].count // max(1, item.outputs[0].count)


def _may_overflow(graph: CoreaiGraph, item: AssetOperation) -> bool:
    """Whether a sum exceeds float16 for features of typical magnitude.

    Means over rows, then over columns, are the safe form of a mean over a map.
    """
    if item.kind not in SUMS or item.outputs[0].dtype != FLOAT16:
        return False
    pairs = zip(graph.tensors[item.inputs[0]].shape, item.outputs[0].shape, strict=False)
    one_axis = sum(before != after for before, after in pairs) == 1
    if item.kind == "reduce_mean" and one_axis:
        return False
    return _summed(graph, item) * TYPICAL_SQUARE > LARGEST_FLOAT16


FORMAT = CoreaiFormat()
