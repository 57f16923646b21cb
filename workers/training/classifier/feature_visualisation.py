"""``python -m workers.training features``: feature visualisations of the classifier (kind: dream).

Activation maximisation (Olah et al. 2017) for the most distinct channels of the classifier, a word for each,
a sheet of the pictures and a list. Nothing on the sheet is a picture that anybody made. The list goes beside
the weights and, with the sheet, to the pages. With ``--data`` the words are those of the paintings that a
channel responds to most, without it the labels of the network's heads.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers import images, weights
from workers.engines.vision.activation_maximisation import (
    STAGES,
    bounded_step,
    channels_of,
    normalise_gradient_pyramid,
    octave_noise,
    preactivations,
    random_scale,
)
from workers.engines.vision.classifier import ClassifierModel
from workers.nets.classifier import STRIDE, Classifier
from workers.training.classifier.data import load_stretched
from workers.training.classifier.feature_words import (
    Name,
    assign_words,
    display_name,
    label_name,
    number_repeats,
    word_effects,
    words_of_paintings,
)
from workers.training.common.data import paintings, photos
from workers.training.common.setup import seed_everything, set_threads, threads_argument

SHARES = {"s1": 0.2, "s2": 0.3, "s3": 0.5}
"""How the pictures of the sheet are divided among the stages; chosen by looking at sheets."""
SPARE = 1.6
"""So many times as many channels are visualised as are kept; not tuned."""
SEEN = 160
"""Side in px at which the classifier sees paintings."""
PHOTOGRAPHS = 0.15
"""Photographs beside the paintings, as a share of these."""
COLUMNS = 10
BATCH = 16
STEP = 0.06
"""Size of a gradient step; it falls to three tenths of this. Chosen by looking at sheets."""
FADING = 0.985
"""Factor of the picture after each step: what no gradient supports fades to grey. Chosen likewise."""
CONTRAST = 0.42
"""Standard deviation of the pictures on the sheet; chosen likewise."""
QUALITY = 82
"""Of the sheet's WebP."""
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and its visualisation (3, side, side) in [-1, 1]."""

    stage: str
    number: int
    picture: torch.Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``features`` command."""
    parser.epilog = __doc__
    parser.add_argument("--weights", default="analyse", help="name of the weights folder")
    parser.add_argument("--data", type=Path, help="training data folder: words come from its paintings")
    parser.add_argument("--web", type=Path, default=ROOT / "gallery/static/gallery/features")
    parser.add_argument("--count", type=int, default=60, help="pictures on the sheet")
    parser.add_argument("--side", type=int, default=96, help="side of each picture, px")
    parser.add_argument("--steps", type=int, default=96, help="steps of each picture")
    parser.add_argument("--pictures", type=int, default=1600, help="paintings whose activations are measured")
    threads_argument(parser)
    parser.add_argument("--seed", type=int, default=1)


@torch.inference_mode()
def responses(net: Classifier, pictures: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    """Mean activation of each channel on pictures uint8 (N, H, W, 3): (N, channels) per stage of SHARES."""
    found: dict[str, list[torch.Tensor]] = {stage: [] for stage in SHARES}
    for start in range(0, len(pictures), BATCH):
        x = torch.from_numpy(pictures[start : start + BATCH]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        for stage, drive in preactivations(net, x, tuple(SHARES)).items():
            found[stage].append(F.relu(drive).mean((2, 3)))
    return {stage: torch.cat(parts).numpy() for stage, parts in found.items()}


def farthest_first(profiles: npt.NDArray[np.float32], first: int, count: int) -> list[int]:
    """Rows of unit ``profiles`` (N, K): ``first``, then each the least similar to those before it."""
    chosen = [first]
    similarity = profiles @ profiles[first]
    while len(chosen) < min(count, len(profiles)):
        similarity[chosen] = np.inf
        chosen.append(int(similarity.argmin()))
        similarity = np.maximum(similarity, profiles @ profiles[chosen[-1]])
    return chosen


def candidates(activations: npt.NDArray[np.float32], count: int) -> list[int]:
    """``count`` channels of ``activations`` (N, channels) with different responses, no dead ones."""
    deviation = activations.std(0)
    alive = np.flatnonzero((deviation > 1e-4) & ((activations > 0).mean(0) > 0.02))
    if not len(alive):
        return []
    standard = (activations[:, alive] - activations[:, alive].mean(0)) / deviation[alive]
    unit = standard / np.linalg.norm(standard, axis=0)
    # The first is the one that differs most between pictures, for its own mean.
    first = int((deviation[alive] / (activations[:, alive].mean(0) + 1e-6)).argmax())
    return [int(alive[number]) for number in farthest_first(np.ascontiguousarray(unit.T), first, count)]


def visualised(
    net: Classifier, stage: str, channels: Sequence[int], side: int, steps: int, generator: torch.Generator
) -> torch.Tensor:
    """Pictures (len(channels), 3, side, side) in [-1, 1] that maximise the channels, from soft noise.

    The first half of the steps is taken at two thirds of the size: shapes first, then their surface.
    """
    x = torch.cat([octave_noise(side, generator) * 0.6 for _ in channels])
    index = torch.tensor(channels).view(-1, 1, 1, 1)
    for number in range(steps):
        if number in (0, steps // 2):
            length = side if number else max(4 * STRIDE, side * 2 // 3)
            x = F.interpolate(x, (length, length), mode="bicubic", antialias=True, align_corners=False)
        down, right = (int(torch.randint(x.shape[2], (1,), generator=generator)) for _ in range(2))
        size = (x.shape[2], x.shape[3])
        seen = x.roll((down, right), (2, 3))
        seen = F.interpolate(seen, random_scale(size, generator), mode="bilinear", align_corners=False)
        seen.requires_grad_()
        with torch.enable_grad():
            drive = preactivations(net, seen, [stage])[stage]
            wanted = drive.gather(1, index.expand(-1, 1, *drive.shape[2:]))
            (gradient,) = torch.autograd.grad(wanted.sum(), seen)
        gradient = F.interpolate(gradient, size, mode="bilinear", align_corners=False)
        move = (
            normalise_gradient_pyramid(gradient.roll((-down, -right), (2, 3)))
            * STEP
            * (1 - 0.7 * number / steps)
        )
        x = bounded_step(x, move) * FADING
    return x


def equalised(x: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) with one contrast and half of their mean colour, to be seen side by side."""
    spread = x.std((1, 2, 3), keepdim=True).clamp_min(1e-3)
    return (x - x.mean((2, 3), keepdim=True) * 0.5).mul(CONTRAST / spread).clamp(-1, 1)


@torch.inference_mode()
def most_distinct(net: Classifier, found: Sequence[Channel], count: int) -> list[Channel]:
    """The ``count`` whose pictures have the least similar embeddings."""
    if len(found) <= count:
        return list(found)
    x = torch.stack([one.picture for one in found])
    unit = F.normalize(net.embedding(net.features(x)), dim=1)
    profiles = F.normalize(unit - unit.mean(0), dim=1).numpy()
    return [found[number] for number in sorted(farthest_first(profiles, 0, count))]


def load_examples(
    data: Path | None, count: int, generator: torch.Generator
) -> tuple[npt.NDArray[np.uint8], list[set[str]]]:
    """Pictures uint8 (N, SEEN, SEEN, 3) and words: paintings and photographs, or noise without words."""
    if data is None:
        noise = torch.cat(
            [octave_noise(SEEN, generator) * (1 + number % 4) for number in range(min(count, 128))]
        )
        tones = torch.rand(len(noise), 3, 1, 1, generator=generator) * 1.2 - 0.6
        pixels = (noise + tones).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().numpy(), [set() for _ in noise]
    rows = paintings(data)
    order = torch.randperm(len(rows), generator=generator).tolist()[:count]
    rows = [rows[number] for number in sorted(order)]
    others = photos(data)
    order = torch.randperm(len(others), generator=generator).tolist()[: round(PHOTOGRAPHS * count)]
    entries = [(row.shard, row.file) for row in rows] + [others[number] for number in sorted(order)]
    pictures, _ = load_stretched(data, entries, SEEN)
    words = words_of_paintings(rows, pictures[: len(rows)])
    return pictures, words + [{"photograph"}] * (len(entries) - len(rows))


@torch.inference_mode()
def label_names(net: Classifier, found: Sequence[Channel]) -> list[Name]:
    """Per channel the label whose logit its picture raises most, compared with the pictures of the others."""
    answers = net(torch.stack([one.picture for one in found]))
    columns, names = [], []
    for head, labels in net.config.heads.items():
        logits = answers[head]
        for number, label in enumerate(labels):
            if (name := label_name(label)) is not None and name not in names:
                columns.append((logits[:, number] - logits[:, number].mean()) / (logits.std() + 1e-6))
                names.append(name)
    table = torch.stack(columns, 1).numpy() if columns else np.zeros((len(found), 0), np.float32)
    return _enough(table, names)


def _enough(table: npt.NDArray[np.float32], names: list[tuple[str, str]]) -> list[Name]:
    """Names by a table (channels, names); where there are too few words for all, the rest are numbered."""
    spare = [(f"feature {number}", f"特征 {number}") for number in range(1, len(table) + 1)]
    wide = np.concatenate([table, np.full((len(table), len(spare)), -1e3, np.float32)], 1)
    return assign_words(wide, [*names, *spare])


def main(arguments: argparse.Namespace) -> None:
    """Visualise, name and write."""
    set_threads(arguments)
    generator = seed_everything(arguments.seed)
    classifier = ClassifierModel.load(torch.device("cpu"), arguments.weights)
    net = classifier.net
    pictures, words = load_examples(arguments.data, arguments.pictures, generator)
    print(f"{len(pictures)} example pictures", flush=True)
    activations = responses(net, pictures)
    chosen: list[Channel] = []
    for stage, share in SHARES.items():
        numbers = candidates(activations[stage], round(SPARE * share * arguments.count))
        parts = [
            visualised(net, stage, numbers[start : start + BATCH], arguments.side, arguments.steps, generator)
            for start in range(0, len(numbers), BATCH)
        ]
        found = (
            [Channel(stage, n, x) for n, x in zip(numbers, torch.cat(parts), strict=True)] if parts else []
        )
        chosen += most_distinct(net, found, round(share * arguments.count))
        print(f"{stage}: {len(found)} visualised of {activations[stage].shape[1]}", flush=True)
    if not chosen:
        raise SystemExit(f"{arguments.weights}: no channel responds to anything")
    table = np.stack([activations[one.stage][:, one.number] for one in chosen], 1)
    known, effects = word_effects(table, words)
    names = _enough(effects, [display_name(word) for word in known]) if known else label_names(net, chosen)
    write(classifier, arguments.weights, arguments.web, chosen, names)


def write(
    classifier: ClassifierModel, folder: str, web: Path, chosen: Sequence[Channel], names: Sequence[Name]
) -> None:
    """The list beside the weights, the sheet and a copy of the list for the pages. The deepest come first."""
    order = sorted(
        range(len(chosen)), key=lambda n: (-STAGES.index(chosen[n].stage), -names[n].score, chosen[n].number)
    )
    chosen, names = [chosen[n] for n in order], number_repeats([names[n] for n in order])
    side = chosen[0].picture.shape[1]
    sheet = Image.new("RGB", (COLUMNS * side, -(-len(order) // COLUMNS) * side))
    for place, one in enumerate(chosen):
        row, column = divmod(place, COLUMNS)
        sheet.paste(images.to_image(equalised(one.picture[None])), (column * side, row * side))
    listed = {
        "format": 1,
        "digest": classifier.digest,
        "channels": channels_of(classifier.net),
        "tile": side,
        "columns": COLUMNS,
        "features": [
            {"stage": one.stage, "channel": one.number, "en": name.en, "zh": name.zh}
            for one, name in zip(chosen, names, strict=True)
        ],
    }
    text = json.dumps(listed, ensure_ascii=False, indent=1) + "\n"
    web.mkdir(parents=True, exist_ok=True)
    encoded = io.BytesIO()
    sheet.save(encoded, "WEBP", quality=QUALITY, method=6)
    (web / "sheet.webp").write_bytes(encoded.getvalue())
    (web / "features.json").write_text(text, "utf-8")
    (weights.find(folder) / "features.json").write_text(text, "utf-8")
    print(f"{len(order)} features, {len(encoded.getvalue()) // 1024} KB: {web}", flush=True)
    for one, name in zip(chosen, names, strict=True):
        print(f"  {one.stage}:{one.number} {name.en} {name.zh}")
