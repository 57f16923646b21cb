"""Which device the work runs on, and how many threads it may use."""

from __future__ import annotations

import os

import torch


def choose() -> torch.device:
    """CUDA when there is one, else the CPU; ``ARTSITE_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``) overrules."""
    wanted = os.environ.get("ARTSITE_DEVICE", "")
    if wanted:
        return torch.device(wanted)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe(device: torch.device) -> str:
    """A name for people, e.g. ``NVIDIA L4`` or ``CPU, 2 threads``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def generator(seed: int, index: int = 0) -> torch.Generator:
    """The random stream of output ``index`` of a request with ``seed``: always drawn on the CPU.

    A CPU generator gives the same numbers on every device and does not depend on who shares the
    batch, so one recipe is one picture.
    """
    # SplitMix64's finaliser spreads neighbouring (seed, index) pairs over the whole range.
    mixed = (seed + 0x9E3779B97F4A7C15 * (index + 1)) & (2**64 - 1)
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return torch.Generator("cpu").manual_seed((mixed ^ (mixed >> 31)) & (2**63 - 1))
