"""Zero-shot tags: words that are unusually near to a view, by a toy matcher; tables that are not its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.engine.poetry.test_picture_theme import EVERY
from tests.engine.toy_painting import write_models
from workers import images, weights
from workers.engines.poetry.chinese.picture_theme import theme_of
from workers.engines.poetry.chinese.themes import Theme
from workers.engines.poetry.picture_content import PictureContent
from workers.engines.vision.text_image_matcher import MODEL, MatcherModel
from workers.engines.vision.zero_shot_tags import MIN_DEVIATIONS, MOST, USUAL_FILE, ZeroShotTagger

CPU = torch.device("cpu")


@pytest.fixture
def matching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MatcherModel:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    write_models(tmp_path)
    return MatcherModel.load(MODEL, CPU)


def table(matching: MatcherModel, words: dict[str, Any], matcher: str | None = None) -> None:
    text = json.dumps({"matcher": matching.digest if matcher is None else matcher, "words": words})
    (weights.find(MODEL) / USUAL_FILE).write_text(text, "utf-8")


def view() -> Image.Image:
    return Image.radial_gradient("L").convert("RGB")


def fit(matching: MatcherModel, word: str) -> float:
    side = matching.net.config.size
    x = images.to_tensor(view().resize((side, side), Image.Resampling.LANCZOS))
    return float(matching.fit(x, [[word]])[0].detach())


def test_words_are_told_by_how_unusual_they_are_for_a_view(matching: MatcherModel) -> None:
    words = list(matching.vocabulary.words)[:5]
    above = dict(
        zip(
            words,
            (
                MIN_DEVIATIONS + 1,
                MIN_DEVIATIONS - 0.2,
                MIN_DEVIATIONS + 3,
                MIN_DEVIATIONS + 2,
                MIN_DEVIATIONS + 0.2,
            ),
            strict=True,
        )
    )
    table(matching, {word: [fit(matching, word) - 0.1 * z, 0.1] for word, z in above.items()})
    found = ZeroShotTagger.load(CPU).tags(view())
    assert found == (words[2], words[3], words[0])
    assert len(found) == MOST


def test_a_view_like_all_others_leaves_none(matching: MatcherModel) -> None:
    table(matching, {word: [fit(matching, word), 0.1] for word in list(matching.vocabulary.words)[:4]})
    assert ZeroShotTagger.load(CPU).tags(view()) == ()


@pytest.mark.parametrize(
    "words",
    [{}, {"sea": [0.1, 0.0]}, {"sea": [float("nan"), 0.1]}, {"sea": 0.1}, {"xyzzy": [0.1, 0.1]}, [], None],
)
def test_a_damaged_table_is_refused(matching: MatcherModel, words: Any) -> None:
    table(matching, words)
    with pytest.raises(weights.WeightsCorrupt):
        ZeroShotTagger.load(CPU)


def test_a_table_of_another_matcher_is_refused_and_none_is_missing(matching: MatcherModel) -> None:
    with pytest.raises(weights.WeightsMissing):
        ZeroShotTagger.load(CPU)
    table(matching, {word: [0.1, 0.1] for word in list(matching.vocabulary.words)[:1]}, matcher="other")
    with pytest.raises(weights.WeightsCorrupt, match="another"):
        ZeroShotTagger.load(CPU)


def test_the_shipped_table_is_the_shipped_matchers_and_every_word_of_it_is_in_poems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ARTSITE_MODELS_DIR", raising=False)
    assert len(ZeroShotTagger.load(CPU).tags(view())) <= MOST
    words = json.loads((weights.find(MODEL) / USUAL_FILE).read_text("utf-8"))["words"]
    assert len(words) > 10
    silent = [
        word
        for word in words
        if not theme_of(PictureContent(impressions=(word,)), Theme("", (), ()), EVERY).characters
    ]
    assert silent == []
