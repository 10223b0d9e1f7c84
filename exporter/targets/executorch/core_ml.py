"""Core ML's delegate: the graph becomes a Core ML package inside the ``.pte`` file.

ExecuTorch converts the graph by coremltools, as `styleexport coreml` does, and embeds the package;
on a device its runtime hands that to Core ML. Linux has no Core ML: the package is taken out again
and judged by the project's reference interpreter.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from styleexport.core.errors import UnsupportedOp
from styleexport.core.plugins import needs
from styleexport.runtime_bench.formats._pte_coreml import METADATA, PACKAGE, files_of

SYSTEM = "iOS16"
# Takes a sum for a mean where the two differ by less than 1e-6: an unbiased variance turns biased.
WRONG_MEANS = {"common::fuse_reduce_mean"}
UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def core_ml_partitioner(*, half: bool) -> Callable[[], Any]:
    """Return what makes the partitioner of the delegate.

    Args:
        half: whether it computes in float16.

    Raises:
        MissingExtra: coremltools is not installed.
    """
    with needs("coreml"):
        import coremltools as ct
    pipeline = ct.PassPipeline()
    pipeline.remove_passes(WRONG_MEANS)
    names = list(pipeline.passes)
    precision = ct.precision.FLOAT16 if half else ct.precision.FLOAT32

    def partitioner() -> Any:  # noqa: ANN401 - ExecuTorch's own class
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        specs = CoreMLBackend.generate_compile_specs(
            minimum_deployment_target=getattr(ct.target, SYSTEM),
            compute_precision=precision,
            pass_names=names,
        )
        return CoreMLPartitioner(compile_specs=specs)

    return partitioner


def with_fixed_names(data: bytes, embedded: bytes) -> bytes:
    """Return a file whose random names follow from its content, the same at every export.

    Apps keep compiled models by the identifier in ``metadata.json``: it is that of the content.

    Args:
        data: file.
        embedded: bytes of its delegate.

    Raises:
        UnsupportedOp: the bytes are not in the file once.
    """
    if data.count(embedded) != 1:
        raise UnsupportedOp("Core ML's delegate embeds its package in another way than was tested")
    files = files_of(embedded)
    fixed, digest = embedded, hashlib.sha256()
    from coremltools.proto import Model_pb2

    for name, content in sorted(files.items()):
        if name.endswith(".mlmodel"):
            model: Any = Model_pb2.Model()
            model.ParseFromString(content)
            ordered = model.SerializeToString(deterministic=True)
            assert len(ordered) == len(content)
            fixed = fixed.replace(content, ordered)
            digest.update(ordered)
        elif name.startswith(PACKAGE) and name.endswith(".bin"):
            digest.update(content)
    manifest = files[f"{PACKAGE}/Manifest.json"]
    fixed = fixed.replace(manifest, _numbered(manifest))
    named = str(uuid.UUID(bytes=digest.digest()[:16])).encode()
    return data.replace(embedded, fixed.replace(files[METADATA], UUID.sub(named, files[METADATA])))


def _numbered(manifest: bytes) -> bytes:
    """Return a package's manifest with numbers for names, as long as before."""
    entries = json.loads(manifest)["itemInfoEntries"]
    text = manifest
    for index, key in enumerate(sorted(entries, key=lambda key: entries[key]["path"])):
        text = text.replace(key.encode(), str(uuid.UUID(int=index)).encode())
    ordered = json.dumps(json.loads(text), indent=4, sort_keys=True).encode()
    if len(ordered) > len(manifest):
        raise UnsupportedOp(
            "coremltools writes a package's manifest in another way than was tested"
        )
    return ordered.ljust(len(manifest))
