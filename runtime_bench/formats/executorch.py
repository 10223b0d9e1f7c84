"""ExecuTorch's ``.pte`` files: partitions, operations, storage, MACs, and planned memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from styleexport.core.manifest import RiskFact
from styleexport.runtime_bench.formats import coreml as core_ml
from styleexport.runtime_bench.formats._format import Description, Format
from styleexport.runtime_bench.formats._liveness import GraphStep, peak_bytes
from styleexport.runtime_bench.formats._pte import (
    XNNPACK,
    Partition,
    PteFile,
    partitions_text,
    read_pte,
)
from styleexport.runtime_bench.formats._pte_coreml import computes_by_core_ml, embedded_package
from styleexport.runtime_bench.formats._pte_left import grouped


class ExecutorchFormat(Format):
    """ExecuTorch, one method of one size."""

    name = "executorch"
    suffix = ".pte"

    def describe(self, path: Path) -> Description:
        """Return the facts of a ``.pte`` file; see `Format.describe`."""
        file = read_pte(path)
        if computes_by_core_ml(file):
            return _of_core_ml(path, file)
        nodes = [node for part in file.partitions for node in part.nodes]
        kernels = {f"{name} (own kernel)": count for name, count in file.kernels.items()}
        work = max(map(_peak, file.partitions), default=0)
        return Description(
            format="ExecuTorch",
            version=f"ET12, method {file.method}",
            size_bytes=path.stat().st_size,
            macs=sum(node.macs for node in nodes),
            int8_mac_share=file.int8_mac_share(),
            inputs=tuple(f"{name}: {value}" for name, value in file.inputs.items()),
            outputs=tuple(f"{name}: {value}" for name, value in file.outputs.items()),
            ops={**dict(Counter(node.name for node in nodes).most_common()), **kernels},
            bytes_by_dtype=_stored(file),
            peak_activation_bytes=file.planned_bytes + work,
            risks=tuple(_risks(file)),
            about={
                **file.about,
                "partitions": partitions_text(file),
                "memory plan": f"{file.planned_bytes} bytes for what enters and leaves partitions "
                f"and for ExecuTorch's own kernels; an estimated {work} inside a partition",
            },
        )


def _of_core_ml(path: Path, file: PteFile) -> Description:
    """Return the facts of a file whose graph is a Core ML package, by those of the package."""
    with embedded_package(path) as found:
        inside = core_ml.FORMAT.describe(found.path)
    return msgspec.structs.replace(
        inside,
        format="ExecuTorch",
        version=f"ET12, method {file.method}, {inside.format} {inside.version} inside",
        size_bytes=path.stat().st_size,
        inputs=tuple(f"{name}: {value}" for name, value in file.inputs.items()),
        outputs=tuple(f"{name}: {value}" for name, value in file.outputs.items()),
        risks=(*_risks(file), *inside.risks),
        about={**file.about, "partitions": partitions_text(file)},
    )


def _stored(file: PteFile) -> dict[str, int]:
    """Return storage type → bytes of constants, each counted once."""
    values = (*file.constants, *(value for part in file.partitions for value in part.values))
    found = {x.constant: (x.dtype, x.stored_bytes) for x in values if x.constant is not None}
    stored: Counter[str] = Counter()
    for dtype, size in found.values():
        stored[dtype] += size
    return dict(stored.most_common())


def _peak(part: Partition) -> int:
    """Return the peak of bytes inside a partition, without its inputs, outputs and constants."""
    inner = {
        index: value.size_bytes
        for index, value in enumerate(part.values)
        if value.constant is None and not value.external
    }
    steps = [
        GraphStep(
            tuple(str(index) for index in node.reads if index in inner),
            {str(index): inner[index] for index in node.writes if index in inner},
        )
        for node in part.nodes
    ]
    return peak_bytes(steps, {}, [])


def _risks(file: PteFile) -> Iterator[RiskFact]:
    count = len(file.partitions)
    for leaving, names in grouped(file.kernels).items():
        calls = ", ".join(f"{name} x{file.kernels[name]}" for name in names)
        yield RiskFact(
            where=calls,
            reason=f"{leaving.reason}: the graph has {count} partition{'' if count == 1 else 's'}, "
            "what passes between them is copied, and what is left runs in one thread",
            remedy=f"{leaving.remedy}; or export --target tflite or onnx",
        )
    if not file.kernels and count > 1:
        yield RiskFact(
            where=f"{count} partitions",
            reason="what passes between two partitions is copied out of XNNPACK's memory and back",
            remedy="export with the version of ExecuTorch that `styleexport doctor` names",
        )
    if not any(part.delegate == XNNPACK for part in file.partitions) and file.partitions:
        yield RiskFact(
            where=file.partitions[0].delegate,
            reason="the app must be built with this delegate, and no other device runs the file",
            remedy="export with styleexport executorch for a file that every CPU runs",
        )


FORMAT = ExecutorchFormat()
