"""``python -m workers.training judge``: train the judge, a classifier of scenes that measures fidelity.

A small residual network from scratch that has seen real paintings only. It shares nothing with what the
painter learned from (the teacher's features, the matcher, the guessed words), so a painter cannot have
learned to please it. Titles give the scenes; as a second lesson it names what the row says besides (words of
the title, artist, style, genre), of every painting there is. Never shipped: it lives in its run folder.
On one shared CPU core 20 minutes; with CUDA take ``--minutes 5 --batch 256``.
"""

from __future__ import annotations

import argparse
import copy
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers import device as devices
from workers.training.common.data import Painting, is_validation, load_squares, paintings
from workers.training.common.feature_metrics import Array, uint8_batches
from workers.training.common.run import CHECKPOINT, TrainingRun, seed_everything
from workers.training.common.statistics import area
from workers.training.matcher.captions import is_view

_TITLES = {
    "winter": r"winter|snow|snowy|snowfall|snow-?covered|snowstorm|frost|hoarfrost|frozen",
    "sea": r"sea|seas|seascape|seashore|seaside|ocean|waves?|surf|beach(es)?|seacoast|shipwreck|etretat|"
    r"pourville|belle ile|antibes|trouville|sainte adresse|black sea|marine|cliffs?",
    "mountain": r"mountains?|mount|himalayas?|himalayan|alps|alpine|peaks?|summit|everest|kanchenjunga|"
    r"glaciers?|matterhorn|sierra|caucasus|sainte victoire|fuji",
    "forest": r"forests?|woods?|woodland|grove|birch(es)?|pines?|oaks?|undergrowth|thicket|poplars",
    "night": r"nights?|nocturne|moon|moonlight|moonlit|moonrise|starry|stars",
    "field": r"fields?|meadows?|wheat|wheatfields?|wheatstacks?|haystacks?|grainstacks?|harvest|plains?|"
    r"pasture|farmland|corn|cornfield|haymaking|steppe|prairie|ploughed|rye|heath",
    "garden": r"gardens?|flowers?|flowering|orchards?|blossoms?|blossoming|roses|"
    r"bloom|blooming|irises|lilacs?",
    "city": r"streets?|rue|boulevard|avenue|square|city|town|piazza|market|quai|montmartre|opera|roofs|"
    r"rooftops|cathedral|palace",
}
_MEANS = {name: re.compile(rf"\b({words})\b", re.IGNORECASE) for name, words in _TITLES.items()}
SCENES = tuple(_TITLES)
"""The eight scenes. Rivers and lakes are not among them: taken for seas, towns and gardens, they were
recognised in one real painting of eight. They are tags, as all other words."""
UNKNOWN = -1
SIZE = 96
"""Side at which the finished judge looks at pictures, px."""
MARGIN = 12
EARLY = 64
"""Side during the first half of a training: less than half of the work, and coarse shapes come first."""
_FEWEST = 40
"""A tag that fewer training rows carry is left out."""
_STOP = re.compile(r"the|of|an?|in|at|on|and|with|from|to|by|l[ea]s?|d[eu]|des|near|view|landscape")
AVERAGE = 0.995


def scene_of(painting: Painting) -> int:
    """Which of SCENES the title names, or UNKNOWN when it names none or several."""
    if not is_view(painting):
        return UNKNOWN
    found = {name for name in SCENES if _MEANS[name].search(painting.title)}
    # Snow and the night change a whole picture, whatever else is in it.
    if outweighing := found & {"winter", "night"}:
        found = outweighing
    elif painting.genre == "cityscape":
        # A city by the sea or a mountain town is either: no label.
        found = found | {"city"}
    return SCENES.index(found.pop()) if len(found) == 1 else UNKNOWN


def tags_of(painting: Painting) -> set[str]:
    """Everything the row says: words of the title, and its artist, styles and genre."""
    words = {word for word in re.findall(r"[a-z]{2,}", painting.title.lower()) if not _STOP.fullmatch(word)}
    words |= {f"style:{style}" for style in painting.style.split("|") if style}
    words |= {f"artist:{painting.artist}"} if painting.artist else set()
    return words | ({f"genre:{painting.genre}"} if painting.genre else set())


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """Sizes. ``widths``: channels at 1/4, 1/8 and 1/16 of the picture."""

    tags: tuple[str, ...]
    stem: int = 24
    widths: tuple[int, ...] = (40, 80, 160)


class _Block(nn.Module):
    """(N, C, r, r) -> the same: a residual pair of convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pair = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.pair(x))


class JudgeNet(nn.Module):
    """Pictures (N, 3, S, S) in [-1, 1] -> features (N, D), and from them scenes (N, 8) and tags (N, T)."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((3, config.stem, *config.widths)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            if inputs != 3:
                layers.append(_Block(outputs))
        self.trunk = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.3)
        self.scenes = nn.Linear(config.widths[-1] * 2, len(SCENES))
        self.tags = nn.Linear(config.widths[-1] * 2, len(config.tags))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Mean and maximum over the picture, (N, 2 * widths[-1])."""
        x = self.trunk(images)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.drop(self.features(images))
        return self.scenes(features), self.tags(features)


class Judge:
    """A trained judge. Pictures of any size are looked at at 96 px, as they are and mirrored."""

    def __init__(self, net: JudgeNet, reliability: dict[str, Any], device: torch.device) -> None:
        self.net, self.reliability, self.device = (
            net.eval().requires_grad_(False).to(device),
            reliability,
            device,
        )

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Judge:
        """From the run folder of ``judge``. Raises FileNotFoundError."""
        saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["state"]
        config = saved["config"]
        net = JudgeNet(JudgeConfig(tuple(config["tags"]), config["stem"], tuple(config["widths"])))
        net.load_state_dict(saved["average"])
        return cls(net, saved["reliability"], device)

    def _looks(self, batch: torch.Tensor) -> torch.Tensor:
        x = batch.to(self.device).float()
        if x.shape[-1] != SIZE:
            x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        return torch.cat([x, x.flip(3)])

    @torch.no_grad()
    def scenes(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> the probability of each of SCENES, (N, 8)."""
        found = []
        for batch in batches:
            logits = self.net(self._looks(batch))[0]
            found.append(logits.softmax(1).view(2, -1, len(SCENES)).mean(0).double().cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def tags(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> a score for each tag of the configuration, (N, T)."""
        found = []
        for batch in batches:
            logits = self.net(self._looks(batch))[1]
            found.append(logits.view(2, -1, logits.shape[1]).mean(0).double().cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def features(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> features (N, D) for distances."""
        found = []
        for batch in batches:
            both = self.net.features(self._looks(batch))
            found.append(both.view(2, -1, both.shape[1]).mean(0).double().cpu().numpy())
        return np.concatenate(found)


def reliability(probabilities: Array, truth: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How far a judge can be trusted: of ``probabilities`` (N, 8) against ``truth`` (N,), none UNKNOWN.

    ``per_scene`` is the share of a scene's pictures that it names first; ``confusion[asked][named]`` counts.
    """
    first = probabilities.argmax(1)
    confusion = np.zeros((len(SCENES), len(SCENES)), int)
    np.add.at(confusion, (truth, first), 1)
    shares = confusion.diagonal() / np.maximum(confusion.sum(1), 1)
    among_two = (probabilities.argsort(1)[:, -2:] == truth[:, None]).any(1)
    return {
        "pictures": len(truth),
        "first_guess_right": round(float((first == truth).mean()), 3),
        "mean_over_scenes": round(float(shares[confusion.sum(1) > 0].mean()), 3),
        "among_first_two": round(float(among_two.mean()), 3),
        "per_scene": {name: round(float(share), 2) for name, share in zip(SCENES, shares, strict=True)},
        "confusion": {
            name: {other: int(count) for other, count in zip(SCENES, row, strict=True) if count}
            for name, row in zip(SCENES, confusion, strict=True)
        },
    }


def tag_areas(scores: Array, truth: npt.NDArray[np.float32], tags: Sequence[str]) -> dict[str, float]:
    """Area under the curve of each tag that at least 4 rows carry: ``scores`` (N, T) against 0/1 (N, T)."""
    there = np.flatnonzero((truth.sum(0) >= 4) & (truth.sum(0) < len(truth)))
    return {tags[k]: round(area(scores[:, k], truth[:, k] > 0), 3) for k in there.tolist()}


class Lessons:
    """Endless batches of training pictures: half with a scene (all equally often), half of any kind."""

    def __init__(
        self,
        pictures: npt.NDArray[np.uint8],
        scenes: npt.NDArray[np.int64],
        tags: npt.NDArray[np.float32],
        batch: int,
        generator: torch.Generator,
    ) -> None:
        self.pictures, self.tags = pictures, torch.from_numpy(tags)
        self.scenes, self.batch, self.generator = torch.from_numpy(scenes), batch, generator
        of_scene = [np.flatnonzero(scenes == number) for number in range(len(SCENES))]
        self.of_scene = [torch.from_numpy(rows) for rows in of_scene if len(rows)]
        # Tags of few pictures count as much as those of many, within reason.
        share = self.tags.mean(0).clamp(1e-3, 0.5)
        self.balance = ((1 - share) / share).sqrt()

    def _int(self, limit: int) -> int:
        return int(torch.randint(limit, (), generator=self.generator))

    def next(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (batch, 3, size, size) in [-1, 1], their scenes (UNKNOWN for some), their tags."""
        chosen = [rows[self._int(len(rows))] for _ in range(self.batch // 2) for rows in [self._scene()]]
        others = torch.randint(len(self.pictures), (self.batch - len(chosen),), generator=self.generator)
        rows = torch.cat([torch.stack(chosen), others])
        return self._changed(rows, size), self.scenes[rows], self.tags[rows]

    def _scene(self) -> torch.Tensor:
        return self.of_scene[self._int(len(self.of_scene))]

    def _changed(self, rows: torch.Tensor, size: int) -> torch.Tensor:
        """Random windows, mirrored, in other light, sometimes blurred: what a picture is stays the same."""
        whole = self.pictures.shape[1]
        side = whole - self._int(whole // 3)
        corners = torch.randint(whole - side + 1, (len(rows), 2), generator=self.generator).tolist()
        flips = (torch.rand(len(rows), generator=self.generator) < 0.5).tolist()
        cut = [
            self.pictures[row, top : top + side, left : left + side][:, :: -1 if flip else 1]
            for row, (top, left), flip in zip(rows.tolist(), corners, flips, strict=True)
        ]
        x = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        # A made picture is softer than a scan: sharpness must not decide.
        inner = (size, max(size * 2 // 5, self._int(size) + 1))[self._int(3) == 0]
        for step in dict.fromkeys((inner, size)):
            if x.shape[-1] != step:
                x = F.interpolate(x, size=(step, step), mode="bilinear", antialias=True, align_corners=False)

        def uniform(spread: float) -> torch.Tensor:
            return (torch.rand(len(x), 1, 1, 1, generator=self.generator) * 2 - 1) * spread

        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * (1 + uniform(0.4))
        mean = x.mean((1, 2, 3), keepdim=True)
        return mean + (x - mean) * (1 + uniform(0.25)) + uniform(0.25)


def losses_of(
    net: JudgeNet, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor], balance: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The losses of one batch by name; their sum is what is minimised."""
    device = balance.device
    images, scenes, tags = (part.to(device) for part in batch)
    named, tagged = net(images.contiguous(memory_format=torch.channels_last))
    return {
        "scene": F.cross_entropy(named, scenes, ignore_index=UNKNOWN, label_smoothing=0.1),
        "tags": 8 * F.binary_cross_entropy_with_logits(tagged, tags, pos_weight=balance),
    }


def tag_table(
    rows: Sequence[Painting], training: npt.NDArray[np.bool_]
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Tags that enough training rows carry, in order, and the multi-hot table (N, T)."""
    of_rows = [tags_of(row) for row in rows]
    counts = Counter(tag for tags, counted in zip(of_rows, training, strict=True) if counted for tag in tags)
    names = tuple(sorted(tag for tag, count in counts.items() if count >= _FEWEST))
    index = {tag: number for number, tag in enumerate(names)}
    table = np.zeros((len(rows), len(names)), np.float32)
    for number, tags in enumerate(of_rows):
        table[number, [index[tag] for tag in tags if tag in index]] = 1
    return names, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``judge`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/judge"), help="run folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--steps", type=int, default=0, help="stop after so many even if time is left (0: no limit)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate; ends at none")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=1)


def load_pictures(data: Path, rows: Sequence[Painting], cache: Path) -> npt.NDArray[np.uint8]:
    """Centre squares of ``rows``, uint8 (N, 108, 108, 3), kept in ``cache`` between runs."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"judge-{SIZE + MARGIN}-{len(rows)}.npy"
    if path.is_file():
        kept: npt.NDArray[np.uint8] = np.load(path)
        return kept
    made = load_squares(data, [(row.shard, row.file) for row in rows], SIZE + MARGIN)
    np.save(path, made)
    return made


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up, then measure on the held-out titles."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    rows = paintings(arguments.data)
    training = np.array([not is_validation(row.file) for row in rows])
    scenes = np.array([scene_of(row) for row in rows])
    names, tags = tag_table(rows, training)
    pictures = load_pictures(arguments.data, rows, arguments.cache)
    edge = MARGIN // 2
    centres = pictures[:, edge : edge + SIZE, edge : edge + SIZE]
    held = np.flatnonzero(~training & (scenes != UNKNOWN))
    held_views = np.flatnonzero(~training & np.array([is_view(row) for row in rows]))
    generator = seed_everything(arguments.seed)
    net = JudgeNet(JudgeConfig(names)).to(memory_format=torch.channels_last).to(device)
    average = copy.deepcopy(net).requires_grad_(False)
    lessons = Lessons(pictures[training], scenes[training], tags[training], arguments.batch, generator)
    balance = lessons.balance.to(device)
    optimiser = torch.optim.AdamW(net.parameters(), arguments.rate, (0.9, 0.99), weight_decay=0.05)
    parts: dict[str, Any] = {"net": net, "average": average, "optimiser": optimiser}
    run = TrainingRun(arguments.out, arguments.minutes)
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.manual_seed(arguments.seed + run.step)
    began = run.elapsed if state is None else None

    def measured() -> dict[str, Any]:
        judge = Judge(copy.deepcopy(average), {}, device)
        counts = Counter(SCENES[number] for number in scenes[training] if number != UNKNOWN)
        figures = reliability(judge.scenes(uint8_batches(centres[held], 64)), scenes[held])
        areas = tag_areas(judge.tags(uint8_batches(centres[held_views], 64)), tags[held_views], names)
        return figures | {"training_pictures": dict(counts), "steps": run.step, "words_auc": areas}

    def save() -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        run.save(states | {"config": asdict(net.config), "reliability": measured()})

    first, most = run.step, arguments.steps or math.inf
    while run.running() and run.step - first < most:
        began = run.elapsed if began is None else began
        gone = min(1.0, max((run.elapsed - began) / (arguments.minutes * 60), (run.step - first) / most))
        warm = min(1.0, (run.step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * warm * (0.5 + 0.5 * math.cos(math.pi * gone))
        losses = losses_of(net, lessons.next(EARLY if gone < 0.5 and state is None else SIZE), balance)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            decay = min(AVERAGE, (run.step + 1) / (run.step + 20))
            for own, other in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                own.lerp_(other, 1 - decay) if own.is_floating_point() else own.copy_(other)
        run.step += 1
        if run.step % 50 == 0:
            run.log(**{name: float(value.detach()) for name, value in losses.items()})
        if run.due():
            save()
            figures = measured()
            run.log(
                **{key: figures[key] for key in ("first_guess_right", "mean_over_scenes", "among_first_two")}
            )
    save()
    for name, value in measured().items():
        print(name, value)
