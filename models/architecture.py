"""Architecture record of a compressed network: its name, layer widths and history, as data.

A weights file (safetensors) carries it in its metadata; code is never stored. The network is built
as its description says, its layers are cut to the recorded widths, and the weights are loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.conv import _ConvTransposeNd  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.instancenorm import _InstanceNorm  # pyright: ignore[reportPrivateUsage]

from styleexport.core.errors import BadCheckpoint, first_line
from styleexport.core.files import replace_file
from styleexport.models.checkpoint import load_into, read_tensors, sha256_of

if TYPE_CHECKING:
    from styleexport.models.network import StyleNetwork

KEY = "styleexport.architecture"
FORMAT = 1
# Methods in the history of a weights file.
ZERO_CHANNEL = "zero-channel"
SYMMETRIC_L2 = "symmetric-l2"
DISTILL = "distill"
TRAIN = "train"
QUANTIZE_AWARE = "quantize-aware"

Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d
Normalisation = _BatchNorm | _InstanceNorm
Layer = Convolution | nn.Linear | Normalisation
Settings = Mapping[str, str | int]


class LayerWidths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number of input and output channels of a layer."""

    inputs: int
    outputs: int


class KeptChannels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Indices of the input and output channels that a layer kept, counted in the parent."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a network's history.

    Attributes:
        method: ``zero-channel``, ``symmetric-l2``, ``train`` …
        parent_sha256: sha256 over the checkpoint files that it started from.
        kept: channels kept by each layer that lost some.
        schedule: settings that decided the result.
    """

    method: str
    parent_sha256: str
    kept: dict[str, KeptChannels] = {}
    schedule: dict[str, str | int | float] = {}


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Architecture record in the metadata of a weights file.

    Attributes:
        format: version of the record's format.
        network: name of the network that was compressed.
        settings: keywords of the network's ``build``.
        widths: widths of every layer, by its name in the state dict.
        history: steps that led to the weights, first to last.
    """

    format: int = FORMAT
    network: str
    settings: dict[str, str | int]
    widths: dict[str, LayerWidths]
    history: tuple[Event, ...]


def layers(module: nn.Module) -> Iterator[tuple[str, Layer]]:
    """Yield each layer whose width is data, with its name: convolutions, linears, norms."""
    for name, layer in module.named_modules():
        if isinstance(layer, Layer) and not isinstance(layer, nn.LazyLinear):
            yield name, layer


def widths_of(layer: Layer) -> LayerWidths:
    """Return the number of input and output channels of a layer."""
    if isinstance(layer, nn.Linear):
        return LayerWidths(layer.in_features, layer.out_features)
    if isinstance(layer, Convolution):
        return LayerWidths(layer.in_channels, layer.out_channels)
    return LayerWidths(layer.num_features, layer.num_features)


def has_kernel(layer: Layer) -> bool:
    """Whether a layer computes channels with a kernel; a norm does not."""
    return not isinstance(layer, Normalisation)


def is_depthwise(layer: Layer) -> bool:
    """Whether a layer convolves each channel alone."""
    return isinstance(layer, Convolution) and layer.groups == layer.in_channels > 1


def in_groups(layer: Layer) -> bool:
    """Whether a layer convolves groups of several channels; such a layer keeps all channels."""
    return isinstance(layer, Convolution) and layer.groups > 1 and not is_depthwise(layer)


def keep_channels(layer: Layer, kept: KeptChannels) -> None:
    """Cut a layer to some of its channels, in place."""
    inputs, outputs = list(kept.inputs), list(kept.outputs)
    if isinstance(layer, Normalisation):
        for name in ("weight", "bias", "running_mean", "running_var"):
            _set(layer, name, outputs, 0)
        layer.num_features = len(outputs)
        return
    transposed = isinstance(layer, _ConvTransposeNd)
    depthwise = is_depthwise(layer)
    if depthwise:
        # The only dimension is that of the channels themselves: inputs where transposed.
        _set(layer, "weight", inputs if transposed else outputs, 0)
    else:
        _set(layer, "weight", outputs, 1 if transposed else 0)
        _set(layer, "weight", inputs, 0 if transposed else 1)
    _set(layer, "bias", outputs, 0)
    if isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = len(inputs), len(outputs)
        return
    layer.in_channels, layer.out_channels = len(inputs), len(outputs)
    if depthwise:
        layer.groups = len(inputs)


def _set(layer: nn.Module, name: str, indices: Sequence[int], dim: int) -> None:
    tensor = getattr(layer, name, None)
    if not isinstance(tensor, Tensor) or tensor.shape[dim] == len(indices):
        return
    cut = tensor.detach().index_select(dim, torch.tensor(indices, device=tensor.device))
    if isinstance(tensor, nn.Parameter):
        cut = nn.Parameter(cut, requires_grad=tensor.requires_grad)
    setattr(layer, name, cut)


def architecture_of(
    network: StyleNetwork, module: nn.Module, history: Sequence[Event]
) -> Architecture:
    """Return the architecture record of a module of a network."""
    return Architecture(
        network=network.name,
        settings=dict(network.settings(module)),
        widths={name: widths_of(layer) for name, layer in layers(module)},
        history=tuple(history),
    )


def read_architecture(path: Path) -> Architecture | None:
    """Return the architecture record of a weights file; None if it has none.

    Raises:
        BadCheckpoint: the record cannot be read, or is of another format.
    """
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
    except Exception:  # noqa: BLE001 - whoever reads its tensors says what is wrong with it
        return None
    if text is None:
        return None
    try:
        record = msgspec.json.decode(text, type=Architecture)
    except msgspec.DecodeError as error:
        raise BadCheckpoint(
            f"checkpoint {path} holds an architecture that cannot be read ({error}); expected one "
            "that `styleexport prune` wrote: prune again, or update styleexport"
        ) from error
    if record.format != FORMAT:
        raise BadCheckpoint(
            f"checkpoint {path} holds an architecture of format {record.format}, expected "
            f"{FORMAT}: update styleexport"
        )
    return record


def read_history(paths: Sequence[Path]) -> tuple[Event, ...]:
    """Return the history of a network's weights; () where its files record none.

    Raises:
        BadCheckpoint: the record cannot be read, or is of another format.
    """
    record = read_architecture(paths[0]) if len(paths) == 1 else None
    return () if record is None else record.history


def record_after(
    network: StyleNetwork,
    module: nn.Module,
    parents: Sequence[Path],
    method: str,
    schedule: Mapping[str, str | int | float],
) -> Architecture | None:
    """Return the record of a network after one more step; None where a plain file is enough.

    It is enough where the network was not compressed and has no variants.

    Args:
        network: description of the network.
        module: network after the step.
        parents: files that the step started from; () for random weights.
        method: method of the step.
        schedule: settings of the step.

    Raises:
        BadCheckpoint: a parent's record cannot be read.
    """
    recorded = len(parents) == 1 and read_architecture(parents[0]) is not None
    if not recorded and not network.settings(module):
        return None
    digest = sha256_of(parents) if parents else ""
    event = Event(method=method, parent_sha256=digest, schedule=dict(schedule))
    return architecture_of(network, module, [*read_history(parents), event])


def write_weights(
    path: Path, state: Mapping[str, Tensor], architecture: Architecture | None
) -> None:
    """Write a weights file whole or not at all, with its architecture record if it has one.

    Raises:
        DeviceError: the folder is not writable or the disk is full.
    """
    text = None if architecture is None else msgspec.json.encode(architecture).decode()
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with replace_file(path) as part:
        part.write_bytes(save(tensors, None if text is None else {KEY: text}))


def build_compressed(network: StyleNetwork, record: Architecture, path: Path) -> nn.Module:
    """Return the module that a weights file describes, with its weights.

    Args:
        network: description of the network that the user named.
        record: the file's architecture record.
        path: weights file.

    Raises:
        BadCheckpoint: the record is of another network, or its widths do not fit.
    """
    if record.network != network.name:
        raise BadCheckpoint(
            f"checkpoint {path} is a compressed {record.network}, not {network.name}: type "
            f"{record.network} instead, or another --checkpoint"
        )
    try:
        module = network.build(**record.settings)
    except (TypeError, ValueError, KeyError) as error:
        raise BadCheckpoint(
            f"checkpoint {path}: {network.name} has no settings {record.settings} "
            f"({first_line(error)}); expected a file that `styleexport prune` wrote"
        ) from error
    _resize(module, record.widths, path)
    load_into(module, read_tensors(path), path)
    return module


def _resize(module: nn.Module, widths: Mapping[str, LayerWidths], path: Path) -> None:
    """Cut a module's layers to widths, keeping the first channels; the weights are loaded later."""
    present = dict(layers(module))
    for name in present.keys() ^ widths.keys():
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: layer {name} is in "
            f"{'its architecture' if name in widths else 'the network'} alone"
        )
    for name, layer in present.items():
        most, width = widths_of(layer), widths[name]
        if not (1 <= width.inputs <= most.inputs and 1 <= width.outputs <= most.outputs):
            raise BadCheckpoint(
                f"checkpoint {path}: layer {name} has {width.inputs} inputs and {width.outputs} "
                f"outputs, expected 1 to {most.inputs} and 1 to {most.outputs}"
            )
        if width == most:
            continue
        if in_groups(layer):
            raise BadCheckpoint(
                f"checkpoint {path}: layer {name} has {width.inputs} inputs and {width.outputs} "
                f"outputs, expected {most.inputs} and {most.outputs}: convolutions in groups are "
                "not cut"
            )
        keep_channels(layer, KeptChannels(tuple(range(width.inputs)), tuple(range(width.outputs))))
