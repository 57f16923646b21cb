"""Growing a generator: one that paints at S px is taken over by one of twice the size with one more block.

Learning everything at once destroyed the composition within 200 steps. So the layers that were taken over
rest at first: for FIT steps the new block learns to give the smaller generator's pictures enlarged, for FADE
more its own pictures fade in over those before the discriminator; then all layers learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from workers.nets.generator import Generator, GeneratorConfig

FIT, FADE = 200, 300
"""Steps of each stage: of 32 pictures, enough for 128 px in one try each."""
NEWEST = ("last_norm.", "to_rgb.")
"""Layers that belong to one size, beside the last block: their inputs are of another width at each."""


def is_newest(name: str, config: GeneratorConfig) -> bool:
    """Whether the parameter called ``name`` works at the generator's full size only."""
    return name.startswith((*NEWEST, f"blocks.{len(config.channels) - 2}."))


class Growth:
    """The smaller generator while its successor grows, and how far that is."""

    def __init__(self, small: Generator, began: int) -> None:
        """``small`` paints at half the size; ``began``: the step at which it was taken over."""
        self.small = small.eval().requires_grad_(False)
        self.began = began

    def fitting(self, step: int) -> bool:
        """Whether the new block still learns to enlarge."""
        return step - self.began < FIT

    def finished(self, step: int) -> bool:
        """Whether the successor paints alone."""
        return step - self.began >= FIT + FADE

    def share(self, step: int) -> float:
        """How much of the shown picture is the successor's own, 0..1."""
        return min(1.0, max(0.0, (step - self.began - FIT) / FADE))

    @torch.no_grad()
    def enlarged(self, styles: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
        """The smaller generator's colours before tanh, (N, 3, S, S), for its successor's inputs."""
        colours = self.small.colours(styles[:, :-1], noise[:-1])
        return F.interpolate(colours.float(), scale_factor=2.0, mode="bicubic", align_corners=False)

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`from_state` needs."""
        card = self.small.config.to_card()
        return {"config": card, "state": self.small.state_dict(), "began": self.began}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Growth:
        """From :meth:`state_dict`, on the CPU."""
        small = Generator(GeneratorConfig.from_card(state["config"]))
        small.load_state_dict(state["state"])
        return cls(small, int(state["began"]))


def take_over(large: Generator, small: Generator) -> None:
    """Copy into ``large`` every layer of ``small`` that it has too.

    Raises ValueError when ``large`` is not ``small`` with one more block.
    """
    config, other = large.config, small.config
    expected = replace(
        other,
        channels=(*other.channels, config.channels[-1]),
        mapping=other.mapping or config.mapping,
        limit=config.limit,
    )
    if config != expected:
        raise ValueError(f"a generator with {config} cannot take over one with {other}")
    own = large.state_dict()
    taken = {name: value for name, value in small.state_dict().items() if not name.startswith(NEWEST)}
    large.load_state_dict({**own, **taken})
