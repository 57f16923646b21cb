"""What a training runs on (device, threads, seeds, precision) and the options that all commands share."""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from workers import device as devices

Module = TypeVar("Module", bound=nn.Module)

PRECISIONS = ("auto", "float32", "bfloat16")


def data_argument(parser: argparse.ArgumentParser) -> None:
    """``--data DIR``, the training data folder."""
    parser.add_argument("--data", type=Path, required=True, help="the training data folder")


def cache_argument(parser: argparse.ArgumentParser) -> None:
    """``--cache DIR``, where decoded pictures and features are kept between runs."""
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")


def threads_argument(parser: argparse.ArgumentParser) -> None:
    """``--threads N`` of :func:`set_threads`."""
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")


def target_argument(parser: argparse.ArgumentParser, default: Path) -> None:
    """``--to DIR``, where an export writes."""
    parser.add_argument("--to", type=Path, default=default, help="folder of weights folders")


def run_arguments(
    parser: argparse.ArgumentParser,
    out: str,
    minutes: float,
    *,
    seed: int = 1,
    plan: bool = False,
    always_resumes: bool = False,
    convolutional: bool = True,
) -> None:
    """The options that :func:`prepare` and :class:`workers.training.common.run.TrainingRun` need.

    ``plan``: with the length of a schedule over several calls; ``always_resumes``: a run folder with a
    checkpoint is gone on with, and there is no ``--resume``. ``convolutional``: whether there is a memory
    layout to choose.
    """
    data_argument(parser)
    goes_on = "; goes on from its checkpoint" if always_resumes else ""
    parser.add_argument("--out", type=Path, default=Path(out), help=f"run folder{goes_on}")
    parser.add_argument("--minutes", type=float, default=minutes, help="time of this call")
    if plan:
        parser.add_argument("--plan-minutes", type=float, help="length of the schedule (default: --minutes)")
    if not always_resumes:
        parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    threads_argument(parser)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of the forward passes; auto: bfloat16 on a GPU and on a CPU that proves faster with it",
    )
    if convolutional:
        parser.add_argument(
            "--channels-last",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="memory layout of the networks: channels innermost",
        )


def set_threads(arguments: argparse.Namespace) -> None:
    """Use ``--threads`` CPU threads; 0 leaves torch's choice."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)


@cache
def bfloat16_is_faster(convolutional: bool) -> bool:
    """Whether this CPU trains a convolution, else an LSTM, faster in bfloat16; takes about a second.

    Processors with AMX are several times faster, those with AVX-512 BF16 half as fast again, others slower.
    """
    if convolutional:
        net: nn.Module = nn.Conv2d(128, 128, 3, padding=1).to(memory_format=torch.channels_last)
        x = torch.zeros(8, 128, 32, 32).contiguous(memory_format=torch.channels_last)
    else:
        net, x = nn.LSTM(256, 256, batch_first=True), torch.zeros(32, 16, 256)

    def seconds(enabled: bool) -> float:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            result = net(x)
        y = result if convolutional else result[0]
        y.float().mean().backward()
        return time.perf_counter() - began

    # Alternating, and the best of each: other work on the machine disturbs both alike.
    times = [(seconds(False), seconds(True)) for _ in range(4)]
    return min(fast for _, fast in times) < 0.9 * min(slow for slow, _ in times)


def precision_of(choice: str, device: torch.device, convolutional: bool) -> torch.dtype:
    """The type of the forward passes for one of PRECISIONS; "auto": what this device is faster with."""
    if choice == "auto":
        fast = device.type == "cuda" or (device.type == "cpu" and bfloat16_is_faster(convolutional))
    else:
        fast = choice == "bfloat16"
    return torch.bfloat16 if fast else torch.float32


@dataclass(frozen=True, slots=True)
class Setup:
    """Device, precision and random streams of a training. ``generator`` draws the order of the data."""

    device: torch.device
    seed: int
    generator: torch.Generator
    precision: torch.dtype = torch.float32
    channels_last: bool = False

    def place(self, module: Module) -> Module:
        """``module`` on the device, its convolutions with channels last if that was chosen."""
        module = module.to(self.device)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module

    def autocast(self) -> AbstractContextManager[None]:
        """Forward passes inside run in ``precision`` where torch thinks it safe; float32 changes nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision is torch.bfloat16)

    def reseed(self, step: int) -> None:
        """Random streams of a run that goes on at ``step``: other than those of its first part."""
        self.generator.manual_seed(self.seed + step)
        torch.manual_seed(self.seed + step)


def prepare(arguments: argparse.Namespace) -> Setup:
    """Threads, device, seeds and precision as the options of :func:`run_arguments` say."""
    set_threads(arguments)
    device = devices.choose()
    convolutional = hasattr(arguments, "channels_last")
    return Setup(
        device=device,
        seed=arguments.seed,
        generator=seed_everything(arguments.seed),
        precision=precision_of(arguments.precision, device, convolutional),
        channels_last=convolutional and arguments.channels_last,
    )


def seed_everything(seed: int) -> torch.Generator:
    """Seed torch's global generator (initial weights) and return one for the data order."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed + 1)
