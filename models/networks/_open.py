"""Opening networks: from a `NetworkSpec` and checkpoint files to a network with weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core import plugins
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.errors import BadCheckpoint, UsageError, first_line
from styleexport.core.input_files import check_input, is_folder
from styleexport.core.program import load_program
from styleexport.models.architecture import build_compressed, read_architecture
from styleexport.models.checkpoint import FROM_USER, load_into, read_tensors, sha256_of
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.network_spec import NETWORKS, NetworkSource, NetworkSpec
from styleexport.models.networks._own import (
    check_forward,
    from_module,
    module_spec,
    state_sha256,
    user_network,
)
from styleexport.models.pixel_choice import settle_pixels
from styleexport.models.pixels import STANDARD, PixelDeclaration, PixelFormat
from styleexport.models.weights_choice import (
    choosing_weights,
    is_chosen,
    reading_files,
    weights_choice,
)


def find(name: str) -> StyleNetwork:
    """Return the description of a network by its name in `styleexport networks`.

    Raises:
        UsageError: no such name; the nearest one is suggested.
    """
    network = plugins.load(NETWORKS, name, "NETWORK")
    assert isinstance(network, StyleNetwork)
    return network


def describe(spec: str | NetworkSpec, purpose: str = "") -> StyleNetwork:
    """Return the description of a network that is a module: by name or by factory.

    Args:
        spec: network specification.
        purpose: what the network is for, as messages call it: ``student``.

    Raises:
        UsageError: a graph, no such name, or no such factory.
    """
    spec = NetworkSpec.parse(spec) if isinstance(spec, str) else spec
    spec.require_module("which has no weights file to write", purpose)
    if spec.source is NetworkSource.FACTORY:
        return _describe_factory(spec.name)
    return find(spec.name).with_levels(spec.levels)


def open_network(
    spec: str | NetworkSpec | nn.Module = DEFAULT_NETWORK,
    checkpoints: Sequence[Path] = (),
    *,
    trusted: bool = False,
    weights_keys: Sequence[str] = (),
) -> LoadedNetwork:
    """Return a network with its weights, ready to capture.

    Args:
        spec: a name of `styleexport networks`, ``package.module:factory``, or a ``.pt2`` or
            ``.onnx`` file; see `NetworkSpec`. Or a module with its weights, which is copied.
        checkpoints: weights files, as the network takes them; for an .onnx file that takes a style
            code, the .onnx file that computes it.
        trusted: whether a .pt2 that can run code may be read.
        weights_keys: of a checkpoint with several state dicts, the one to take: ``KEY``, or
            ``FILE=KEY``. () for the choice in force; see `choosing_weights`.

    Raises:
        UsageError: no such network, or a factory that does not return a usable module.
        BadCheckpoint: the weights are missing, damaged or of another network.
    """
    if isinstance(spec, nn.Module):
        spec = module_spec(spec)
    spec = NetworkSpec.parse(spec) if isinstance(spec, str) else spec
    choice = choosing_weights(weights_keys) if weights_keys or not is_chosen() else nullcontext()
    with choice:
        return _open(spec, checkpoints, trusted)


def _open(spec: NetworkSpec, checkpoints: Sequence[Path], trusted: bool) -> LoadedNetwork:
    weights_choice().check_files()
    keys = weights_choice().keys
    if keys and spec.is_graph:
        raise UsageError(
            f"--weights-key {keys[0]} chooses among the state dicts of a checkpoint, and {spec} is "
            "a graph: leave it out"
        )
    if spec.source is not NetworkSource.REGISTRY:
        loaded = _open_own(spec, checkpoints, trusted)
        said = PixelDeclaration.of_module(loaded.module, str(spec.name))
        return settle_pixels(loaded, spec.declared.over(said))
    network = find(spec.name).with_levels(spec.levels)
    if not spec.declared.is_silent:
        raise UsageError(
            f"the pixels of {spec.name} are known ({network.input_pixels}): leave out --pixels and "
            "the options like it, which are for networks of your own"
        )
    paths = list(checkpoints) or network.shipped
    if not paths:
        raise BadCheckpoint(
            f"{spec} has no weights of its own: type --checkpoint PATH with {network.checkpoints}"
        )
    module = read_module(network, paths).eval().requires_grad_(False)
    files = weight_files(paths)
    return LoadedNetwork(network, module, source_names(files), source_sha256(files))


def _open_own(spec: NetworkSpec, checkpoints: Sequence[Path], trusted: bool) -> LoadedNetwork:
    """Return a network of the user's, its pixels not looked at yet."""
    if spec.source is NetworkSource.MODULE:
        return from_module(spec, checkpoints)
    if spec.source is NetworkSource.PROGRAM:
        return _from_program(spec.path, trusted)
    if spec.source is NetworkSource.ONNX:
        from styleexport.models.from_onnx import read_onnx_network

        return read_onnx_network(spec, checkpoints)
    return _from_factory(spec.name, checkpoints)


def read_module(network: StyleNetwork, paths: Sequence[Path]) -> nn.Module:
    """Return a network's module with the weights of checkpoint files.

    A file with an architecture record decides the widths of the layers. Of a network of several
    levels, those that its description chooses are kept.

    Raises:
        BadCheckpoint: a file is missing, damaged or of another network.
    """
    for path in paths:
        if not is_folder(path):
            remedy = f"type a path to {network.checkpoints}"
            check_input(path, "checkpoint", error=BadCheckpoint, remedy=remedy)
    with reading_files([*paths, *weight_files(paths)]):
        if len(paths) == 1 and (record := read_architecture(paths[0])) is not None:
            return network.selected(build_compressed(network, record, paths[0]))
        return network.selected(network.read(paths))


def source_names(files: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of weights files, each with the key of the state dict taken of it."""
    return tuple(map(weights_choice().source, files))


def source_sha256(files: Sequence[Path]) -> str:
    """Return the sha256 over weights files and the keys of the state dicts taken of them."""
    return sha256_of(files, weights_choice().keys_taken(files))


def weight_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files of checkpoint paths in order, a folder's sorted by name."""
    return [
        file
        for path in paths
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if file.is_file()
    ]


def _describe_factory(spec: str) -> StyleNetwork:
    """Return the description of a network that ``package.module:factory`` builds.

    Modules are looked up in the present folder first, as ``python -m`` does.
    """
    factory = plugins.users_function("network", spec)

    def build() -> nn.Module:
        try:
            with plugins.users_code(f"network {spec!r}", "calling it"):
                module = factory()
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"network {spec!r}: calling it failed with {first_line(error)}; expected a "
                "function without arguments that returns a torch.nn.Module"
            ) from error
        if not isinstance(module, nn.Module):
            raise UsageError(
                f"network {spec!r} returned a {type(module).__name__}, expected a torch.nn.Module"
            )
        check_forward(spec, module)
        return module

    def read(paths: Sequence[Path]) -> nn.Module:
        if len(paths) != 1:
            raise BadCheckpoint(f"network {spec!r} takes one checkpoint file, got {len(paths)}")
        module = build()
        load_into(module, read_tensors(paths[0]), paths[0], advice=FROM_USER)
        return module

    return user_network(spec.partition(":")[2].lower().replace("_", "-"), spec, build, read)


def _from_factory(spec: str, checkpoints: Sequence[Path]) -> LoadedNetwork:
    network = _describe_factory(spec)
    module = read_module(network, checkpoints) if checkpoints else network.build()
    module.eval().requires_grad_(False)
    digest = source_sha256(checkpoints) if checkpoints else state_sha256(module)
    return LoadedNetwork(network, module, source_names(checkpoints), digest)


class ProgramModule(nn.Module):
    """A fixed-style network captured as a program of torch.export.

    Args:
        program: module of the program.
        size: height and width that it was captured at; None for any.
        takes: channels, layout and type of its input.
    """

    def __init__(
        self, program: nn.Module, size: tuple[int, int] | None, takes: PixelFormat = STANDARD
    ) -> None:
        super().__init__()
        self.program = program
        self.fixed_size = size
        self.takes = takes

    def forward(self, image: Tensor) -> Tensor:
        """Return the program's output for an image in the format that it takes."""
        return self.program(image)

    def train(self, mode: bool = True) -> ProgramModule:
        """Return itself: a captured program has one mode, the one it was captured in."""
        return self


def _from_program(path: Path, trusted: bool) -> LoadedNetwork:
    program = load_program(path, trusted=trusted)
    names = set(program.graph_signature.user_inputs)
    inputs = [
        node.meta["val"]
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    ]
    takes = picture_format(inputs[0].shape, inputs[0].dtype) if len(inputs) == 1 else None
    if takes is None:
        got = ", ".join(
            f"{list(value.shape)} {value.dtype}".replace("torch.", "") for value in inputs
        )
        raise UsageError(
            f"program {path} takes inputs {got}; expected one image [1, 3, H, W] or [1, H, W, 3], "
            "of one, three or four channels, float32 or uint8: capture each role of a two-image "
            "network by package.module:factory instead"
        )
    height, width = inputs[0].shape[2:] if takes.layout == "NCHW" else inputs[0].shape[1:3]
    fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    module = ProgramModule(program.module(), fixed, takes)
    name = path.stem.lower().replace("_", "-").replace(".", "-")
    described = user_network(name, path.name, lambda: module, lambda _: module)
    return LoadedNetwork(described, module, (path.name,), sha256_of([path]))


def picture_format(shape: Sequence[object], dtype: torch.dtype) -> PixelFormat | None:
    """Return channels, layout and type of an input; None where it is no picture."""
    if len(shape) != 4 or dtype not in (torch.float32, torch.uint8):
        return None
    kind = "uint8" if dtype == torch.uint8 else "float32"
    for axis, layout in ((1, "NCHW"), (3, "NHWC")):
        if isinstance(shape[axis], int) and shape[axis] in (1, 3, 4):
            return replace(STANDARD, channels=int(str(shape[axis])), layout=layout, dtype=kind)
    return None
