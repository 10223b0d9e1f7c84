"""Style networks: description, loaded weights, roles, and the module that each role runs.

A module has one of three interfaces. A two-image network has ``encode(style) -> code`` and
``transfer(content, code, strength) -> image``; a fixed-style network is called with the content; an
optimized one has ``step``, the loss of a picture and its gradient. They work in their own pixel
formats; `RoleModule` converts to the convention of artifacts: RGB in 0..1, the output as large as
the content, or a whole multiple, and clamped to 0..1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.errors import UsageError
from styleexport.core.manifest import IterationFact, OptimizationFact
from styleexport.core.types import Role, Size
from styleexport.models.pixel_modules import FromNetwork, ToNetwork
from styleexport.models.pixels import STANDARD, PixelFormat

DEFAULT_SIZE = Size(512, 512)
# A step that is too long may raise the loss a millionfold, and the next one undoes it.
OPTIMIZATION = OptimizationFact(
    algorithm="lbfgs",
    history=10,
    learning_rate=1.0,
    first_change=1 / 255,
    iterations=100,
    divergence=1000.0,
    patience=5,
)


@runtime_checkable
class TwoImageModule(Protocol):
    """A network that takes the style as a picture.

    ``encode`` maps [N, 3, H, W] to a style code [N, K]; ``transfer`` maps content [N, 3, H, W], a
    code [N, K] and a strength [1] in 0..1 to an image at least as large as the content. What a code
    holds and whether codes blend is declared by an attribute ``code_layout`` (`code_layouts`).
    """

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of pictures [N, 3, H, W]."""
        ...

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'] with H' ≥ H and W' ≥ W."""
        ...


@runtime_checkable
class OptimizedModule(Protocol):
    """A network that gives a loss, by which the picture itself is optimized.

    Pictures are RGB in 0..1; those of ``step`` may leave that range. A code's layout is declared as
    that of a `TwoImageModule`.
    """

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of pictures [N, 3, H, W]."""
        ...

    def content_target(self, content: Tensor) -> Tensor:
        """Return what is to be kept of pictures [N, 3, H, W], as [N, T]."""
        ...

    def step(
        self, image: Tensor, target: Tensor, code: Tensor, strength: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss [1] of a picture [1, 3, H, W], and its gradient by the picture."""
        ...


@runtime_checkable
class IterativeModule(Protocol):
    """A network with iterations whose number depends on the pictures that it will see."""

    def settle(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[IterationFact, ...]:
        """Choose the numbers by pairs of content and style, and return what was chosen."""
        ...


def _no_settings(_: nn.Module) -> Mapping[str, str | int]:
    return {}


@dataclass(frozen=True)
class StyleNetwork:
    """Description of a network; it knows nothing of targets.

    Attributes:
        name: name typed on the command line.
        summary: one line for `styleexport networks`.
        paper: publication.
        licence: licence of the weights that this project ships or reads, in words.
        build: returns the module with random weights; its keywords, if any, choose a variant.
        read: returns the module that checkpoint files describe; raises BadCheckpoint.
        checkpoints: files that ``--checkpoint`` takes, in words.
        input_pixels: format of the pictures that the module takes.
        output_pixels: format of the pictures that it gives.
        scale: height and width of its output over those of the content.
        min_side: smallest height and width in pixels that every layer accepts.
        weights: weights file shipped with the package; None without one.
        start: for networks whose encoder is trained elsewhere: returns the module with that
            encoder's weights and a random decoder, in the variant that its keywords choose.
        backbone: file that ``start`` takes, in words.
        trains: name prefixes of the parameters that ``styleexport train`` changes; () for none.
        settings: returns the keywords with which ``build`` makes the same variant as a module.
        choices: keywords of ``build`` and ``start`` that the user of a training chooses:
            ``encoder``, ``tap``, ``decoder``.
        select: for networks of several levels: returns a module with some of its levels, which a
            text such as ``543`` names; raises UsageError. None for other networks.
        levels: levels that were chosen; "" for all that the weights have.
        encoder: name of its encoder in ``models/encoders``; "" where the encoder is its own.
        family: how a style acts on the content's features, by which networks are listed.
        objective: what ``styleexport train`` minimises: AdaIN's losses, the error of reconstructed
            pictures, or the error of features that the decoder's picture is encoded to again.
    """

    name: str
    summary: str
    paper: str
    licence: str
    build: Callable[..., nn.Module]
    read: Callable[[Sequence[Path]], nn.Module]
    checkpoints: str
    input_pixels: PixelFormat = STANDARD
    output_pixels: PixelFormat = STANDARD
    scale: int = 1
    min_side: int = 32
    weights: Path | None = None
    trains: tuple[str, ...] = ()
    start: Callable[..., nn.Module] | None = None
    backbone: str = ""
    settings: Callable[[nn.Module], Mapping[str, str | int]] = _no_settings
    choices: tuple[str, ...] = ()
    select: Callable[[nn.Module, str], nn.Module] | None = None
    levels: str = ""
    encoder: str = ""
    family: str = "AdaIN"
    objective: Literal["adain", "reconstruction", "inverse"] = "adain"

    @property
    def shipped(self) -> list[Path]:
        """Weights files that ship with the package."""
        return [] if self.weights is None else [self.weights]

    def with_levels(self, levels: str) -> StyleNetwork:
        """Return the description with some of its levels, all for "".

        Raises:
            UsageError: it has no levels.
        """
        if levels and self.select is None:
            raise UsageError(
                f"{self.name} has no levels to choose: leave out --levels, which wct and others "
                "like it take"
            )
        return replace(self, levels=levels) if levels else self

    def selected(self, module: nn.Module) -> nn.Module:
        """Return a module with the levels that were chosen.

        Raises:
            UsageError: the module has other levels.
        """
        if not self.levels or self.select is None:
            return module
        return self.select(module, self.levels)


@dataclass(frozen=True)
class Basis:
    """How a fact of a network is known.

    Attributes:
        kind: stated by the user or by this project, found by looking at the network, or assumed
            because nothing speaks against it.
        reason: what it was found by; "" where it is declared.
    """

    kind: Literal["declared", "found", "assumed"] = "declared"
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


@dataclass(frozen=True)
class PixelBasis:
    """How a network's pixel formats and scale are known."""

    input: Basis = Basis()
    output: Basis = Basis()
    scale: Basis = Basis()


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its weights, ready to capture.

    Attributes:
        network: description of the network.
        module: module in inference mode, float32, on the CPU.
        source: names of the checkpoint files, without folders.
        source_sha256: sha256 over the checkpoint files in order, and over the keys of the state
            dicts taken of those that hold several.
        basis: how the pixel formats and the scale are known.
        objection: why it cannot be exported as it is described, and what to type; "" for nothing.
        remarks: what was found and done when the network was read, one line each.
    """

    network: StyleNetwork
    module: nn.Module
    source: tuple[str, ...]
    source_sha256: str
    basis: PixelBasis = PixelBasis()
    objection: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles of the network, those exported by default first."""
        if self.own_styles:
            return (Role.TRANSFORM,)
        if isinstance(self.module, TwoImageModule):
            return (Role.ENCODE, Role.TRANSFORM, Role.STYLIZE)
        if isinstance(self.module, OptimizedModule):
            return (Role.ENCODE, Role.CONTENT, Role.STEP)
        return (Role.STYLIZE,)

    @property
    def optimization(self) -> OptimizationFact | None:
        """How its ``step`` is iterated; None for a network that paints at once."""
        return OPTIMIZATION if isinstance(self.module, OptimizedModule) else None

    @property
    def default_roles(self) -> tuple[Role, ...]:
        """Encode and transform for two-image networks, so that a style is encoded once."""
        if self.own_styles or isinstance(self.module, OptimizedModule):
            return self.roles
        if isinstance(self.module, TwoImageModule):
            return (Role.ENCODE, Role.TRANSFORM)
        return (Role.STYLIZE,)

    @property
    def own_styles(self) -> tuple[str, ...]:
        """Names of the styles that the network itself holds, in the order of its style code."""
        return getattr(self.module, "styles", ())

    def encoder(self) -> RoleModule:
        """Return the module that makes style codes, also where that is no role of the network."""
        return RoleModule.of(self.network, self.module, Role.ENCODE).eval()

    @property
    def default_sizes(self) -> tuple[Size, ...]:
        """512x512, or the fixed size of a captured program."""
        fixed = getattr(self.module, "fixed_size", None)
        return (Size(*fixed),) if fixed is not None else (DEFAULT_SIZE,)

    def role_module(self, role: Role) -> RoleModule:
        """Return the module that computes one role on images in 0..1, in inference mode.

        Raises:
            UsageError: the network has no such role.
        """
        if role not in self.roles:
            raise UsageError(
                f"network {self.network.name!r} has no role {role.value!r}: it has "
                f"{', '.join(self.roles)}; type --role {self.roles[0]}"
            )
        return RoleModule.of(self.network, self.module, role).eval()

    def pixel_lines(self) -> list[str]:
        """Return how the network is applied to pictures and how that is known, a line a fact."""
        taken, given = self.network.input_pixels, self.network.output_pixels
        basis = self.basis
        lines = (
            [f"pixels {taken} ({basis.input})"]
            if (taken, basis.input) == (given, basis.output)
            else [f"pixels in {taken} ({basis.input}), out {given} ({basis.output})"]
        )
        if self.network.scale != 1:
            lines.append(f"scale {self.network.scale} ({basis.scale})")
        return lines


class RoleModule(nn.Module):
    """One role of a network on RGB images in 0..1, its output cropped to the content's size.

    Pooling and strided layers round sizes up, so a decoder's output covers the content and may be
    larger by less than the network's stride; the rows and columns past the content are dropped.

    Args:
        network: module of the network.
        role: role to compute.
        input_pixels: format of the pictures that the module takes.
        output_pixels: format of the pictures that it gives.
        scale: height and width of the output over those of the content.
    """

    def __init__(
        self,
        network: nn.Module,
        role: Role,
        input_pixels: PixelFormat = STANDARD,
        output_pixels: PixelFormat = STANDARD,
        scale: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.role = role
        self.scale = scale if role is not Role.ENCODE else 1
        self.to_network = ToNetwork(input_pixels)
        self.from_network = FromNetwork(output_pixels, scale)

    @classmethod
    def of(cls, network: StyleNetwork, module: nn.Module, role: Role) -> RoleModule:
        """Return a role of a module that a description fits."""
        return cls(module, role, network.input_pixels, network.output_pixels, network.scale)

    def for_role(self, role: Role) -> RoleModule:
        """Return another role of the same network."""
        pixels = self.to_network.pixels, self.from_network.pixels
        return RoleModule(self.network, role, *pixels, self.from_network.scale).eval()

    def _painting(self, image: Tensor, content: Tensor, strength: Tensor | None = None) -> Tensor:
        """Return the picture of an output, blended where the network ignores the strength."""
        picture = self.from_network(image, content)
        if strength is not None and getattr(self.network, "ignores_strength", False):
            if self.scale != 1:
                content = functional.interpolate(content, scale_factor=self.scale)
            picture = torch.clamp(picture, 0.0, 1.0)
            picture = content + (picture - content) * strength.reshape(1, 1, 1, 1)
        return torch.clamp(picture, 0.0, 1.0)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return what `output_names` names: two tensors for ``step``, one otherwise.

        Args:
            inputs: tensors named by `input_names`, in order: content and style [N, 3, H, W] in
                0..1, style_code [N, K], strength [1] in 0..1, content_target [N, T].
        """
        images = self.to_network
        net = self.network
        if self.role is Role.ENCODE:
            assert isinstance(net, TwoImageModule | OptimizedModule)
            return net.encode(images(inputs[0]))
        if isinstance(net, OptimizedModule):  # its pictures are RGB in 0..1
            step = self.role is Role.STEP
            return net.step(*inputs) if step else net.content_target(inputs[0])
        content = inputs[0]
        if self.role is Role.TRANSFORM:
            assert isinstance(net, TwoImageModule)
            return self._painting(net.transfer(images(content), *inputs[1:]), content, inputs[2])
        if isinstance(net, TwoImageModule):
            code = net.encode(images(inputs[1]))
            painting = net.transfer(images(content), code, inputs[2])
            return self._painting(painting, content, inputs[2])
        return self._painting(net(images(content)), content)

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs, in order."""
        if self.role is Role.ENCODE:
            return ("style",)
        if self.role is Role.CONTENT:
            return ("content",)
        if self.role is Role.STEP:
            return ("image", "content_target", "style_code", "strength")
        if self.role is Role.TRANSFORM:
            return ("content", "style_code", "strength")
        if isinstance(self.network, TwoImageModule):
            return ("content", "style", "strength")
        return ("content",)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in order.

        ``style_code`` [N, K], ``content_target`` [N, T], ``loss`` [1] and ``gradient``
        [1, 3, H, W], or ``image`` [N, 3, scale·H, scale·W] in 0..1.
        """
        of_role = {
            Role.ENCODE: ("style_code",),
            Role.CONTENT: ("content_target",),
            Role.STEP: ("loss", "gradient"),
        }
        return of_role.get(self.role, ("image",))

    def outputs(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs as a tuple, in the order of `output_names`."""
        made = self(*inputs)
        return made if isinstance(made, tuple) else (made,)
