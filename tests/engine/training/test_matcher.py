"""The matcher at toy size: what its encoders promise, and what their training rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from workers import weights
from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.matcher import LONGEST, Matcher, MatcherConfig, condition, token_ids
from workers.training.common.run import Progress
from workers.training.common.setup import Setup
from workers.training.matcher.captions import CaptionedPictures
from workers.training.matcher.train import (
    Batches,
    MatcherTrainer,
    contradictions,
    contrastive_loss,
    drop_words,
    measure,
    resized,
    shuffled_ids,
    word_aucs,
)

WORDS = ("sea", "forest", "night", "red")
TOY = MatcherConfig(words=WORDS, embedding=16, token=8, hidden=8, size=32, stem=4, widths=(8, 8), features=12)
CARD = {
    "name": "match",
    "architecture": "toy",
    "config": TOY.to_card(),
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def toy() -> Matcher:
    torch.manual_seed(1)
    return Matcher(TOY)


def test_embeddings_are_unit_vectors_of_any_text_and_any_size() -> None:
    net = toy().eval()
    texts = net.text(token_ids(TOY, [("sea", "night"), (), ("red",)]))
    pictures = torch.cat([net.image(torch.rand(1, 3, side, side)) for side in (32, 70, 128)])
    for embedded in (texts, pictures):
        assert embedded.shape == (3, 16)
        assert torch.allclose(embedded.norm(dim=1), torch.ones(3), atol=1e-5)
    assert condition(texts).square().mean().item() == pytest.approx(1, abs=1e-4)


def test_padding_and_neighbours_change_no_text() -> None:
    net = toy().eval()
    alone = net.text(token_ids(TOY, [("sea",)]))
    # The forward direction does not see the padding; the backward one starts in it.
    together = net.text(token_ids(TOY, [("sea",), ("sea", "night", "red")]))
    assert torch.allclose(alone[0], together[0], atol=1e-5)


def test_a_text_has_an_end() -> None:
    assert token_ids(TOY, [("sea",) * 100]).shape == (1, LONGEST)
    with pytest.raises(KeyError):
        token_ids(TOY, [("rocket",)])


def test_weights_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    net = toy().eval()
    weights.save(tmp_path / "match", net.state_dict(), CARD)
    matcher = MatcherModel.load("match", torch.device("cpu"))
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.allclose(matcher.pictures(picture), net.image(picture), atol=5e-3)
    assert matcher.read("crimson forest").words == ("red", "forest")
    assert -1 <= float(matcher.fit(picture, [("red",)])) <= 1


def test_a_card_of_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    weights.save(tmp_path / "match", toy().state_dict(), CARD | {"config": {"words": []}})
    with pytest.raises(weights.WeightsCorrupt, match="not a matcher"):
        MatcherModel.load("match", torch.device("cpu"))


def test_shuffled_captions_keep_their_words() -> None:
    captions = torch.tensor([[1.0, 0, 1, 1], [0, 0, 0, 0]])
    stream = torch.Generator().manual_seed(2)
    orders = {tuple(shuffled_ids(captions, stream)[0].tolist()) for _ in range(40)}
    assert {tuple(sorted(order)) for order in orders} == {(1, 3, 4)}
    assert len(orders) == 6
    assert not shuffled_ids(captions, stream)[1].any()


def test_dropping_words_only_takes_away() -> None:
    captions = (torch.rand(200, 4) < 0.5).float()
    kept = drop_words(captions, torch.Generator().manual_seed(3))
    assert ((captions - kept) >= 0).all()
    assert 0 < kept.sum() < captions.sum()


def test_a_caption_that_is_true_of_another_picture_is_no_negative() -> None:
    captions = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    whole = torch.tensor([[1.0, 0, 0, 1], [1, 1, 0, 0]])
    wrong = contradictions(captions, whole)
    assert wrong.tolist() == [[False, False], [True, False]]
    pictures, texts = torch.eye(2), torch.eye(2)
    free = contrastive_loss(pictures, texts, torch.zeros(2, 2, dtype=torch.bool), torch.tensor(5.0))
    assert float(free) == pytest.approx(0, abs=1e-6)
    assert (
        float(contrastive_loss(pictures, texts.flip(0), ~torch.eye(2, dtype=torch.bool), torch.tensor(5.0)))
        > 4
    )


def test_the_auc_of_a_word_compares_pictures_with_it_and_without() -> None:
    captions = torch.zeros(20, 2)
    captions[:10, 0] = 1
    pictures = torch.stack([captions[:, 0] * 2 - 1, torch.zeros(20)], 1)
    aucs = word_aucs(pictures, torch.eye(2), captions)
    assert aucs == {0: 1.0}


def test_training_teaches_a_toy_which_picture_a_word_means() -> None:
    """Red pictures are called red, dark blue ones night: a few dozen steps tell them apart."""
    torch.manual_seed(4)
    stream = torch.Generator().manual_seed(5)
    count = 64
    captions = np.zeros((count, len(WORDS)), np.float32)
    captions[::2, 3] = captions[1::2, 2] = 1
    pictures = np.zeros((count, 44, 44, 3), np.uint8)
    pictures[::2] = (200, 40, 30)
    pictures[1::2] = (10, 20, 70)
    held = np.arange(count) >= 40
    views = CaptionedPictures(
        pictures, captions, WORDS, held, np.random.default_rng(1).normal(size=(count, 12))
    )
    batches = Batches(views, pictures[:8], views.features[:8], TOY, 16, stream)
    setup = Setup(torch.device("cpu"), 4, stream)
    trainer = MatcherTrainer(TOY, batches, views, setup, rate=3e-3)
    for step in range(60):
        trainer.step(Progress(step, step / 120))
    figures = measure(trainer.net, views)
    assert figures["held_out"] == 24
    assert figures["word_auc"] == {"night": 1.0, "red": 1.0}


def test_resizing_keeps_colours() -> None:
    pictures = np.full((3, 20, 20, 3), (200, 100, 50), np.uint8)
    assert (resized(pictures, 10) == np.array([200, 100, 50], np.uint8)).all()
    assert resized(pictures, 10).shape == (3, 10, 10, 3)
