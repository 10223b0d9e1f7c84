"""Starting points of training: whole checkpoints, a pretrained encoder, or random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.networks._open import (
    read_module,
    source_names,
    source_sha256,
    weight_files,
)
from styleexport.models.weights_choice import weights_choice


@dataclass(frozen=True)
class StartingPoint:
    """Weights that a training starts from; random ones without files.

    Attributes:
        checkpoints: weights files of the whole network; () for none.
        backbone: weights file of the encoder alone; None for none.
        seed: seed of random weights.
        role: role of the network in a distillation, ``student``; it names the command-line options
            in messages. "" in other trainings.
        variant: variant of the network, its choices by name: ``tap``; {} for the default one.
    """

    checkpoints: Sequence[Path] = ()
    backbone: Path | None = None
    seed: int = 0
    role: str = ""
    variant: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def files(self) -> list[Path]:
        """Files that the weights are read from, in order, a folder's one by one."""
        return weight_files([*self.checkpoints, *filter(None, [self.backbone])])

    def open(self, network: StyleNetwork) -> LoadedNetwork:
        """Return a network with its starting weights; no files have the sha256 "".

        Raises:
            UsageError: both kinds of file, a backbone that the network does not take, or a variant
                that it does not have.
            BadCheckpoint: weights of another network, or not finite.
        """
        who, prefix = self._words
        weights_choice().check_files()
        module = self._module(network)
        for name, value in module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise BadCheckpoint(
                    f"{who}{network.name} starts with NaN or infinity in {name}: mend its factory, "
                    f"or give finite weights with {prefix}checkpoint"
                )
        files = self.files
        digest = source_sha256(files) if files else ""
        return LoadedNetwork(network, module, source_names(files), digest)

    @property
    def is_random(self) -> bool:
        """Whether no weights were given."""
        return not self.checkpoints and self.backbone is None

    @property
    def _words(self) -> tuple[str, str]:
        """Noun for the network in messages, and prefix of its options."""
        return (f"{self.role} ", f"--{self.role}-") if self.role else ("", "--")

    def _module(self, network: StyleNetwork) -> nn.Module:
        who, prefix = self._words
        if self.checkpoints and self.backbone is not None:
            raise UsageError(
                f"{prefix}checkpoint holds a whole network: leave out {prefix}backbone"
            )
        self.check_variant(network)
        torch.manual_seed(self.seed)
        if self.checkpoints:
            return read_module(network, self.checkpoints)
        if self.backbone is None:
            return network.selected(network.build(**self.variant))
        if network.start is None:
            raise UsageError(
                f"{who}{network.name} takes no backbone, it trains its own encoder: leave out "
                f"{prefix}backbone"
            )
        return network.start(self.backbone, **self.variant)

    def check_variant(self, network: StyleNetwork) -> None:
        """Check that a network has the choices of the variant, and that no checkpoint makes them.

        Raises:
            UsageError: it has not, or one does.
        """
        who, prefix = self._words
        for choice in self.variant:
            if choice not in network.choices:
                raise UsageError(
                    f"{who}{network.name} has no choice of {choice}: leave out --{choice}, or take "
                    "adain with --encoder and --tap"
                )
            if self.checkpoints:
                raise UsageError(
                    f"{prefix}checkpoint holds a whole network: leave out --{choice}, which it says"
                )
