"""Prompt fidelity: colours are measured on the pictures, scenes and tags named by the scene classifier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.engines.paint import PaintEngine
from workers.engines.vision.text_image_matcher import MatcherModel
from workers.training.classifier.scene_classifier import SceneClassifier
from workers.training.classifier.scene_labels import SCENES
from workers.training.common.feature_metrics import Array, uint8_batches
from workers.training.common.statistics import roc_auc
from workers.training.generator.evaluation.prompts import PROMPTS, Prompt
from workers.training.generator.evaluation.sampling import Pictures, reduced_pictures
from workers.training.matcher.captions import COLOUR_LIMITS, CaptionedPictures, colour_shares

LANGUAGES = ("english", "chinese")
PROTOCOL = (
    "{each} pictures for each of {prompts} prompts in English and for their Chinese twins, with the "
    "same seeds, truncation 0.8. A main colour dominates when no other of the twelve measured colours "
    "covers more of the picture; it is found when it covers enough to be one of a training picture's "
    "words. A scene is right when it is the first guess, of eight, of a classifier that was trained "
    "from scratch on titles of real paintings, shares nothing with the training of the generator, and is "
    "right about held-out real paintings as often as scene_classifier.first_guess_right says. Light, seasons "
    "and artists: area under the curve of that classifier's score for the word, pictures that were asked "
    "for it against the others (0.5 is chance), beside the area on held-out real paintings."
)


def colour_table(pictures: Pictures) -> Array:
    """Share of each of the twelve colours, in the order of COLOUR_LIMITS: (N, 12) in 0..1."""
    facts = colour_shares(pictures)
    return np.stack([facts[name] for name in COLOUR_LIMITS], 1).astype(np.float64)


def dominant_colours(pictures: Pictures) -> list[str]:
    """The colour that covers most of each picture (N, H, W, 3)."""
    names = tuple(COLOUR_LIMITS)
    return [names[number] for number in colour_table(pictures).argmax(1)]


def colour_scores(
    table: Array, colours: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each row of a colour table and the colour asked: whether it dominates, and whether it is found."""
    names = tuple(COLOUR_LIMITS)
    wanted = np.array([names.index(colour) for colour in colours], int)
    own = table[np.arange(len(table)), wanted]
    limits = np.array([COLOUR_LIMITS[colour] for colour in colours])
    return own >= table.max(1), own > limits


def _share(flags: Sequence[float] | npt.NDArray[np.bool_]) -> float:
    return round(float(np.mean(flags)), 3)


def pictures_of(
    engine: PaintEngine, language: str, each: int, prompts: Sequence[Prompt] = PROMPTS
) -> dict[Prompt, Pictures]:
    """``each`` pictures of every prompt in one of LANGUAGES; a prompt has its seed in both."""
    return {
        prompt: reduced_pictures(engine, getattr(prompt, language), each, 1000 + number)
        for number, prompt in enumerate(prompts)
    }


def fidelity_figures(pictures: Mapping[Prompt, Pictures], scenes: SceneClassifier) -> dict[str, Any]:
    """Figures of one language: the pictures of each prompt."""
    dominates: dict[str, list[bool]] = defaultdict(list)
    found: dict[str, list[bool]] = defaultdict(list)
    right: dict[str, list[bool]] = defaultdict(list)
    named: dict[str, list[str]] = defaultdict(list)
    for prompt, made in pictures.items():
        if prompt.colour:
            first, second = colour_scores(colour_table(made), [prompt.colour] * len(made))
            dominates[prompt.colour] += first.tolist()
            found[prompt.colour] += second.tolist()
        if prompt.scene:
            guesses = [SCENES[k] for k in scenes.scenes(uint8_batches(made)).argmax(1)]
            right[prompt.scene] += [guess == prompt.scene for guess in guesses]
            named[prompt.scene] += guesses
    return {
        "colour_dominates": _share([flag for flags in dominates.values() for flag in flags]),
        "colour_found": _share([flag for flags in found.values() for flag in flags]),
        "scene_first_guess": _share([flag for flags in right.values() for flag in flags]),
        "scene_mean_over_scenes": _share([_share(flags) for flags in right.values()]),
        "colours": {
            name: {"dominates": _share(dominates[name]), "found": _share(found[name])} for name in found
        },
        "scenes": {name: _share(flags) for name, flags in right.items()},
        "named": {
            name: {other: guesses.count(other) for other in SCENES if other in guesses}
            for name, guesses in named.items()
        },
    }


def tag_aucs(pictures: Mapping[Prompt, Pictures], scenes: SceneClassifier) -> dict[str, float]:
    """Area under the ROC curve of each tag: scores of its prompts' pictures against those of other tags."""
    tagged = {prompt: made for prompt, made in pictures.items() if prompt.tag}
    scores = np.concatenate([scenes.tags(uint8_batches(made)) for made in tagged.values()])
    tags = [prompt.tag for prompt, made in tagged.items() for _ in made]
    found = {}
    for tag in dict.fromkeys(tags):
        if tag in scenes.net.config.tags:
            asked_for = np.array([one == tag for one in tags])
            found[tag] = round(roc_auc(scores[:, scenes.net.config.tags.index(tag)], asked_for), 3)
    return found


def real_colours(views: CaptionedPictures) -> dict[str, Any]:
    """The same colour figures of held-out paintings, for the colours that their captions hold."""
    held = np.flatnonzero(views.validation)
    table = colour_table(views.pictures[held])
    dominates: list[bool] = []
    of_captions: dict[str, float] = {}
    for colour in COLOUR_LIMITS:
        if colour in views.words:
            rows = views.captions[held, views.words.index(colour)] > 0
            if rows.any():
                first, _ = colour_scores(table[rows], [colour] * int(rows.sum()))
                dominates += first.tolist()
                of_captions[colour] = _share(first)
    return {"colour_dominates": _share(dominates), "colours": of_captions}


def translated_alike(matcher: MatcherModel, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """How many Chinese prompts are read as the very words of their English twins, and which are not."""
    other = {}
    for prompt in prompts:
        english, chinese = matcher.read(prompt.english).words, matcher.read(prompt.chinese).words
        if set(english) != set(chinese):
            other[prompt.chinese] = {"english": sorted(english), "chinese": sorted(chinese)}
    return {"same_words": len(prompts) - len(other), "of": len(prompts), "others": other}


def measure(
    engine: PaintEngine,
    matcher: MatcherModel,
    scenes: SceneClassifier,
    views: CaptionedPictures,
    each: int,
    prompts: Sequence[Prompt] = PROMPTS,
) -> tuple[dict[str, Any], dict[Prompt, Pictures]]:
    """All figures, and the pictures of the English prompts; ``prompts`` hold a colour and a scene."""
    made = {language: pictures_of(engine, language, each, prompts) for language in LANGUAGES}
    figures: dict[str, Any] = {
        "protocol": PROTOCOL.format(each=each, prompts=len(prompts)),
        **{language: fidelity_figures(made[language], scenes) for language in LANGUAGES},
    }
    figures["words_auc"] = {language: tag_aucs(made[language], scenes) for language in LANGUAGES}
    known = scenes.reliability.get("words_auc", {})
    figures["words_auc"]["real_held_out"] = {
        tag: known[tag] for tag in figures["words_auc"]["english"] if tag in known
    }
    figures["table"] = [
        {
            "measure": name,
            "english": figures["english"][name],
            "chinese": figures["chinese"][name],
            "points_apart": round(100 * abs(figures["english"][name] - figures["chinese"][name]), 1),
        }
        for name in ("colour_dominates", "colour_found", "scene_first_guess")
    ]
    figures["twins"] = translated_alike(matcher, prompts)
    figures["real_held_out"] = real_colours(views)
    figures["scene_classifier"] = {
        name: value for name, value in scenes.reliability.items() if name != "words_auc"
    }
    return figures, made["english"]
