"""Measure the classifier and the analyse engine: accuracy, calibration, heat maps, outliers, copies.

Everything is measured on the validation paintings, which neither the training nor the calibration saw.
The confusion matrices and the reliability plot go beside the card.
"""

from __future__ import annotations

import argparse
import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from workers import device as devices
from workers import weights
from workers.engines.vision.classifier import MODEL, ClassifierModel
from workers.engines.vision.occlusion import occlude, occlusion_maps
from workers.engines.vision.picture_analysis import HEADS
from workers.nets.classifier import Classifier
from workers.training.classifier.data import VALIDATION, ClassificationData, load_classification_data
from workers.training.classifier.export import embeddings
from workers.training.classifier.labels import UNKNOWN
from workers.training.classifier.plots import confusion_plot, reliability_plot
from workers.training.classifier.train import logits_of, whole_picture
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import cache_argument, data_argument, set_threads, threads_argument
from workers.training.common.statistics import roc_auc

PARTS = ("answers", "evidence", "outliers", "copies")
BINS = 10
"""Of the calibration error, of equal width."""
HIDDEN = 0.2
"""Share of a picture that is occluded."""
PROTOCOL = {
    "answers": "{count} validation paintings (5 %, by file-name hash), each seen whole with about {side} x "
    "{side} px whatever its source. top1: share of right first guesses among those with a label. ece: "
    "expected calibration error, ten bins of equal width, after temperature scaling on other paintings; "
    "ece_if_perfect: what it would be on so few pictures if every probability were right.",
    "evidence": "{count} validation paintings: the hottest 20 % of the map of the first guess of style is "
    "hidden (by the picture's blurred colours), against 20 % in blocks at random (mean of five draws): "
    "share of the pictures whose probability falls more. other weights: mean rank correlation of the maps "
    "with those of a network with random weights, and with random weights in its last stage and heads only "
    "(Adebayo et al. 2018: near 0 is good); same weights: with the mirrored picture's, mirrored back.",
    "outliers": "Area under the curve of the share of `painting` between {count} validation paintings and "
    "each set of others: held-out photographs, drawn screenshots and noise of seeds and kinds not trained "
    "on, and scikit-image's sample photographs.",
    "copies": "{count} paintings; of {asked} of them a mirrored, a cropped (80 % of each side, off centre), "
    "and a recompressed copy (JPEG quality 30 at half the size) looks for its original by embedding: share "
    "found first.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate analyse``."""
    parser.epilog = __doc__
    data_argument(parser)
    cache_argument(parser)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    parser.add_argument("--pictures", type=int, default=200, help="paintings for the evidence test")
    parser.add_argument("--asked", type=int, default=300, help="paintings of which copies are made")
    threads_argument(parser)


def calibration_error(
    shares: torch.Tensor, known: torch.Tensor
) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error of (n, labels), and per bin: mean confidence, accuracy, count."""
    confidence, guess = shares.max(1)
    right = (guess == known).float()
    bins = []
    error = 0.0
    for low in np.linspace(0, 1, BINS, endpoint=False):
        inside = (confidence > low) & (confidence <= low + 1 / BINS)
        count = int(inside.sum())
        if count:
            mean, true = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append((mean, true, count))
            error += abs(mean - true) * count / len(known)
    return error, bins


def least_calibration_error(shares: torch.Tensor, draws: int = 100) -> float:
    """What :func:`calibration_error` would be if the shares (n, labels) were exactly right: above 0, for a
    finite n leaves sampling noise in every bin."""
    stream = torch.Generator().manual_seed(0)
    found = [
        calibration_error(shares, torch.multinomial(shares, 1, generator=stream)[:, 0])[0]
        for _ in range(draws)
    ]
    return sum(found) / draws


def answers(classifier: ClassifierModel, data: ClassificationData, folder: Path) -> dict[str, Any]:
    """Accuracy, calibration and the confusion matrices."""
    rows = data.indices(VALIDATION)
    rows = rows[rows < len(data.rows)]
    found = logits_of(classifier.net, data, rows, classifier.net.config.side)
    figures: dict[str, Any] = {}
    reliability = {}
    for head in HEADS:
        known = torch.from_numpy(data.labels[head][rows])
        asked = known != UNKNOWN
        shares = (found[head][asked] / float(classifier.card["temperature"][head])).softmax(1)
        known = known[asked]
        order = shares.argsort(1, descending=True)
        error, reliability[head] = calibration_error(shares, known)
        figures[head] = {
            "pictures": int(asked.sum()),
            "top1": round(float((order[:, 0] == known).float().mean()), 4),
            "top3": round(float((order[:, :3] == known[:, None]).any(1).float().mean()), 4),
            "ece": round(error, 4),
            "ece_if_perfect": round(least_calibration_error(shares), 4),
            "most_common": round(float(known.bincount().max() / len(known)), 4),
        }
        path = folder / f"confusion-{head}.png"
        confusion_plot(known.numpy(), order[:, 0].numpy(), classifier.labels[head], path)
    reliability_plot(reliability, folder / "calibration.png")
    side = classifier.net.config.side
    return {"protocol": PROTOCOL["answers"].format(count=len(rows), side=side)} | figures


def _blocks(height: int, width: int, share: float, draw: np.random.Generator) -> torch.Tensor:
    """Random blocks, about as large as the evidence's windows, that cover ``share``: (1, 1, H, W)."""
    side = max(height, width) // 9
    cells = draw.permutation(-(-height // side) * -(-width // side))
    columns = -(-width // side)
    mask = torch.zeros(1, 1, height, width)
    for cell in cells:
        top, left = cell // columns * side, cell % columns * side
        mask[:, :, top : top + side, left : left + side] = 1
        if float(mask.mean()) >= share:
            break
    return mask


def hottest_share(heat: npt.NDArray[np.float32], height: int, width: int, share: float) -> torch.Tensor:
    """A mask (1, 1, H, W) of the ``share`` of pixels where a map is highest."""
    big = F.interpolate(torch.from_numpy(heat)[None, None], (height, width), mode="bilinear")
    count = round(share * height * width)
    mask = torch.zeros(height * width)
    mask[big.flatten().topk(count).indices] = 1
    return mask.view(1, 1, height, width)


def randomised(net: Classifier, last_only: bool) -> Classifier:
    """A copy with other weights: all of them, or those of the last stage and everything after it."""
    torch.manual_seed(50021)
    other, fresh = copy.deepcopy(net), Classifier(net.config)
    # Statistics of the norms are kept: without them activations would be dead or saturated.
    own, new = other.state_dict(), fresh.state_dict()
    late = ("stages.2", "downs.2", "embed.", "heads.")
    for name in own:
        if "running" in name or "num_batches" in name:
            continue
        if not last_only or name.startswith(late):
            own[name] = new[name]
    other.load_state_dict(own)
    return other.eval()


def _ranks(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.argsort(np.argsort(x.ravel())).astype(np.float64)


def _rank_correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def evidence_figures(classifier: ClassifierModel, data: ClassificationData, count: int) -> dict[str, Any]:
    """Faithfulness of the heat maps: occlusion, and the sanity check with other weights."""
    net, temperature = classifier.net, {head: float(t) for head, t in classifier.card["temperature"].items()}
    rows = data.indices(VALIDATION)
    rows = rows[(rows < len(data.rows))]
    rows = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    draw = np.random.default_rng(4)
    falls_more, falls = [], []
    correlations: dict[str, list[float]] = {"all": [], "last": [], "mirrored": []}
    others = {"all": randomised(net, False), "last": randomised(net, True)}
    for number, row in enumerate(rows):
        x = whole_picture(data, int(row), net.config.side).to(classifier.device)
        with torch.inference_mode():
            before = net(x)["style"].div(temperature["style"]).softmax(1)[0]
            guess = int(before.argmax())
            heat = occlusion_maps(net, x, temperature)["style"][guess]
            height, width = x.shape[2:]
            masks = [hottest_share(heat, height, width, HIDDEN)]
            masks += [_blocks(height, width, HIDDEN, draw) for _ in range(5)]
            mask = torch.cat(masks).to(x)
            after = net(occlude(x.expand(6, -1, -1, -1), mask))["style"].div(temperature["style"]).softmax(1)
            fall = (before[guess] - after[:, guess]).cpu()
            falls_more.append(float(fall[0] > fall[1:].mean()))
            falls.append((float(fall[0]), float(fall[1:].mean())))
            if number % 10 == 0:
                for name, other in others.items():
                    of_other = occlusion_maps(other, x, temperature)["style"][guess]
                    correlations[name].append(_rank_correlation(heat, of_other))
                turned = occlusion_maps(net, x.flip(3), temperature)["style"][guess][:, ::-1]
                correlations["mirrored"].append(_rank_correlation(heat, turned))
    mean = np.mean(falls, 0)
    return {
        "protocol": PROTOCOL["evidence"].format(count=len(rows)),
        "falls_more": round(float(np.mean(falls_more)), 4),
        "mean_fall_hottest": round(float(mean[0]), 4),
        "mean_fall_random": round(float(mean[1]), 4),
        "rank_correlation_random_weights": round(float(np.mean(correlations["all"])), 3),
        "rank_correlation_random_last_stage": round(float(np.mean(correlations["last"])), 3),
        "rank_correlation_same_weights": round(float(np.mean(correlations["mirrored"])), 3),
    }


def _painting_shares(classifier: ClassifierModel, pictures: list[Image.Image]) -> npt.NDArray[np.float64]:
    found = []
    temperature = float(classifier.card["temperature"]["source"])
    with torch.inference_mode():
        for picture in pictures:
            x = classifier.prepare(picture)
            logits = classifier.net(torch.cat([x, x.flip(3)]))["source"].mean(0)
            found.append(float(logits.div(temperature).softmax(0)[0]))
    return np.array(found)


def unseen_outliers() -> dict[str, list[Image.Image]]:
    """Pictures of kinds that no training saw: other noises, and scikit-image's photographs."""
    from skimage import data as samples

    draw = np.random.default_rng(99)
    noises = []
    for number in range(60):
        # Spectral noise of random slope, stripes, and salt and pepper: none of them is in outliers.py.
        if number % 3 == 0:
            spectrum = np.fft.fftfreq(160)[:, None] ** 2 + np.fft.fftfreq(160)[None] ** 2 + 1e-4
            waves = np.fft.fft2(draw.normal(size=(3, 160, 160))) / spectrum ** draw.uniform(0.2, 0.9)
            field = np.fft.ifft2(waves).real.transpose(1, 2, 0)
            field = (field - field.min()) / (np.ptp(field) + 1e-9) * 255
        elif number % 3 == 1:
            wave = np.sin(np.arange(160) * draw.uniform(0.05, 1.5))
            field = np.broadcast_to((wave * 120 + 128)[None, :, None], (160, 160, 3))
        else:
            field = np.where(draw.random((160, 160, 1)) < 0.5, 0, 255) * np.ones(3)
        noises.append(Image.fromarray(field.astype(np.uint8)))
    names = ("astronaut", "coffee", "chelsea", "rocket", "camera", "coins", "brick", "grass", "page", "text")
    photographs = [Image.fromarray(getattr(samples, name)()).convert("RGB") for name in names]
    return {"other_noise": noises, "sample_photographs": photographs}


def outlier_figures(classifier: ClassifierModel, data: ClassificationData) -> dict[str, Any]:
    """How well paintings are separated from everything else."""
    rows = data.indices(VALIDATION)
    pictures = {row: Image.fromarray(data.pictures[row]) for row in rows}

    def stretched(row: int) -> Image.Image:
        picture, ratio = pictures[row], float(data.ratio[row]) ** 0.5
        return picture.resize((round(176 * ratio), round(176 / ratio)), Image.Resampling.BICUBIC)

    source = data.labels["source"][rows]
    inside = _painting_shares(classifier, [stretched(row) for row in rows[source == 0]])
    sets = {
        "photographs": [stretched(row) for row in rows[source == 1]],
        "screens_and_noise": [pictures[row] for row in rows[source == 2]],
    } | unseen_outliers()
    figures: dict[str, Any] = {"protocol": PROTOCOL["outliers"].format(count=len(inside))}
    everything = []
    for name, others in sets.items():
        outside = _painting_shares(classifier, others)
        everything.append(outside)
        figures[name] = {"pictures": len(others), "auroc": _area(inside, outside)}
    figures["all"] = {"auroc": _area(inside, np.concatenate(everything))}
    figures["paintings_called_unlike"] = round(
        float((inside < float(classifier.card["unlike_below"])).mean()), 4
    )
    return figures


def _area(inside: npt.NDArray[np.float64], outside: npt.NDArray[np.float64]) -> float:
    scores = np.concatenate([inside, outside])
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    return round(float(roc_auc(scores, truth.astype(bool))), 4)


def copies(classifier: ClassifierModel, data: ClassificationData, asked: int) -> dict[str, Any]:
    """Whether changed copies find their originals among ten thousand paintings."""
    rows = np.flatnonzero(np.arange(len(data.pictures)) < len(data.rows))
    chosen = np.random.default_rng(8).permutation(rows)[:10_000]
    table = embeddings(classifier.net, data, chosen, classifier.search_side)
    found: dict[str, int] = {"mirrored": 0, "cropped": 0, "recompressed": 0}
    for number, row in enumerate(chosen[:asked]):
        ratio = float(data.ratio[row]) ** 0.5
        picture = Image.fromarray(data.pictures[row]).resize((round(176 * ratio), round(176 / ratio)))
        wide, high = picture.size
        small = io.BytesIO()
        picture.resize((wide // 2, high // 2)).save(small, "JPEG", quality=30)
        changed = {
            "mirrored": ImageOps.mirror(picture),
            "cropped": picture.crop((wide * 0.05, high * 0.15, wide * 0.85, high * 0.95)),
            "recompressed": Image.open(small),
        }
        for name, image in changed.items():
            vector = torch.from_numpy(classifier.embed([image])[0])
            found[name] += int((table @ vector).argmax()) == number
    count = min(asked, len(chosen))
    shares = {name: round(value / count, 4) for name, value in found.items()}
    return {"protocol": PROTOCOL["copies"].format(count=len(chosen), asked=count)} | shares


def main(arguments: argparse.Namespace) -> None:
    """Measure the chosen parts and write them into the card."""
    set_threads(arguments)
    device = devices.choose()
    classifier = ClassifierModel.load(device)
    folder = weights.find(MODEL)
    data = load_classification_data(arguments.data, Teacher(arguments.data).to(device), arguments.cache)
    for part in arguments.only:
        if part == "answers":
            found = answers(classifier, data, folder)
        elif part == "evidence":
            found = evidence_figures(classifier, data, arguments.pictures)
        elif part == "outliers":
            found = outlier_figures(classifier, data)
        else:
            found = copies(classifier, data, arguments.asked)
        print(part, {key: value for key, value in found.items() if key != "protocol"}, flush=True)
        card = weights.load_card(folder)
        card["quality"] = dict(card["quality"]) | {part: found}
        weights.write_card(folder, card)
