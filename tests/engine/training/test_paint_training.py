"""What the training of the painter rests on: augmentation, captions, distances, losses."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.toy_training_data import write_training_data
from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.generator import GeneratorConfig
from workers.nets.matcher import Matcher, MatcherConfig
from workers.training.common.data import Painting
from workers.training.common.feature_metrics import Moments, frechet, kernel_distance
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Progress
from workers.training.common.setup import Setup, seed_everything
from workers.training.generator.augmentation import augment
from workers.training.generator.data import Batches, mismatched
from workers.training.generator.train import GeneratorTrainer, layout_distance, mix_styles
from workers.training.matcher.captions import (
    COLOUR_LIMITS,
    CaptionedPictures,
    is_view,
    measured_words,
    metadata_words,
)
from workers.training.matcher.pseudo_labels import implied, predict_words
from workers.training.upscaler.degradation import degrade, halved


def painting(title: str, artist: str = "", style: str = "", genre: str = "") -> Painting:
    return Painting("small/1.webp", "x.zip", artist, style, genre, title)


def test_captions_hold_title_painter_and_style() -> None:
    row = painting("Stormy Sea at Night", "Ivan Aivazovsky", "Romanticism", "landscape")
    assert metadata_words(row) == {"storm", "sea", "night", "aivazovsky", "romanticism", "landscape"}
    # A saint in a title is not the painter Henri Martin.
    assert metadata_words(painting("Church of Saint Martin", "Guy Rose", genre="cityscape")) == {
        "church",
        "rose",
        "city",
    }


def test_views_are_landscapes_by_genre_or_title() -> None:
    assert is_view(painting("Untitled", genre="landscape"))
    assert is_view(painting("The Bridge at Moret"))
    assert not is_view(painting("Portrait of a Woman by the Sea"))
    assert not is_view(painting("Bridge", genre="portrait"))


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((200, 20, 20), "red"),
        ((230, 140, 30), "orange"),
        ((230, 210, 60), "yellow"),
        ((40, 140, 40), "green"),
        ((40, 170, 180), "cyan"),
        ((40, 70, 200), "blue"),
        ((130, 40, 200), "purple"),
        ((240, 170, 190), "pink"),
        ((110, 70, 40), "brown"),
        ((250, 250, 250), "white"),
        ((10, 10, 10), "black"),
        ((128, 128, 128), "grey"),
    ],
)
def test_colours_are_called_by_their_names(rgb: tuple[int, int, int], word: str) -> None:
    (words,) = measured_words(np.full((1, 32, 32, 3), rgb, np.uint8))
    assert words & set(COLOUR_LIMITS) == {word}


def test_pseudo_labels_add_a_word_but_not_to_ink_paintings() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 8))
    shows = features[:, 0] > 0
    sets = [{"sea"} if shows[n] and n % 3 == 0 else set[str]() for n in range(400)]
    sets[1] = {"ink"}
    added = predict_words(features, sets, ["sea"])
    new = [n for n, more in enumerate(added) if more]
    assert len(new) > 20
    assert np.mean(shows[new]) > 0.95
    assert not added[1]
    assert not any(added[n] for n in range(400) if "sea" in sets[n])


def test_implied_words_follow_twice() -> None:
    assert implied({"beach"}) == {"beach", "sea", "coast", "water"}


def test_augmentation_keeps_shape_and_lets_gradients_through() -> None:
    images = torch.rand(6, 3, 32, 32, requires_grad=True)
    changed = augment(images, torch.Generator().manual_seed(1))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    changed.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_frechet_and_kernel_distance_know_same_from_different() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 3000, 4)) * 30
    assert frechet(Moments.of(a), Moments.of(a)) == pytest.approx(0, abs=1e-6)
    # Two Gaussians of one covariance: the squared distance of the means.
    assert frechet(Moments.of(a), Moments.of(a + 50)) == pytest.approx(4 * 2500 / 1000, rel=1e-3)
    assert abs(kernel_distance(a, b)) < 0.02 < kernel_distance(a, b + 50)


def test_a_caption_that_is_also_true_is_no_mismatch() -> None:
    whole = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    thinned = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    wrong, counts = mismatched(thinned, whole)
    assert wrong.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert counts.tolist() == [0, 0, 1]


def test_prompts_come_in_pairs_that_say_something_true() -> None:
    words = ("sea", "forest", "night", "red")
    config = MatcherConfig(words=words, embedding=16, token=8, hidden=8, size=32, stem=4, widths=(8,))
    captions = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]], np.float32)
    views = CaptionedPictures(
        pictures=np.zeros((3, 44, 44, 3), np.uint8),
        captions=captions,
        words=words,
        validation=np.array([False, False, True]),
        features=np.zeros((3, 12)),
    )
    matcher = MatcherModel(Matcher(config), torch.device("cpu"))
    batches = Batches(views, matcher, 32, 8, torch.Generator().manual_seed(1))
    prompts = batches.prompts()
    first, second = prompts.words.chunk(2)
    assert torch.equal(first, second)
    assert prompts.text.shape == (8, 16)
    # Held-out captions are in no prompt.
    assert not ((prompts.words[:, 0] > 0) & (prompts.words[:, 3] > 0)).any()
    pictures, captions_, whole = batches.real()
    assert pictures.shape == (8, 3, 32, 32)
    assert ((whole - captions_) >= 0).all()


def test_mixing_by_depth_keeps_the_coarse_and_takes_the_fine() -> None:
    mixed = mix_styles(torch.zeros(2, 6, 3), torch.ones(2, 6, 3))
    depth = mixed[0, :, 0].tolist()
    assert depth == sorted(depth)
    assert (depth[0], depth[-1]) == (0, 1)


def test_layout_distance_ignores_mean_colour() -> None:
    one = torch.rand(2, 3, 32, 32)
    assert layout_distance(torch.cat([one, one + 0.3])).max() < 1e-6
    assert layout_distance(torch.cat([one, one.flip(3)])).min() > 0.01


def test_degraded_pairs_are_half_as_large() -> None:
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    small = degrade(images, torch.Generator().manual_seed(2))
    assert small.shape == (2, 3, 32, 32)
    assert (small - halved(images)).abs().mean() < 0.6


@pytest.fixture
def trainer(tmp_path: Path) -> GeneratorTrainer:
    """A generator of 64 px for four words, with a teacher of random weights."""
    words = ("sea", "forest", "night", "red")
    config = MatcherConfig(words=words, embedding=16, token=8, hidden=8, size=32, stem=4, widths=(8,))
    captions = np.eye(4, dtype=np.float32)[np.arange(8) % 4]
    pictures = np.random.default_rng(1).integers(0, 256, (8, 76, 76, 3), dtype=np.uint8)
    views = CaptionedPictures(pictures, captions, words, np.zeros(8, bool), np.zeros((8, 512)))
    setup = Setup(torch.device("cpu"), 1, seed_everything(1), torch.bfloat16)
    matcher = MatcherModel(Matcher(config), setup.device)
    batches = Batches(views, matcher, 64, 4, setup.generator)
    made = GeneratorTrainer(
        GeneratorConfig(condition=16, latent=4, embedding=4, channels=(8, 8, 8, 8)),
        matcher,
        Teacher(write_training_data(tmp_path / "data")),
        batches,
        setup,
        rates=(1e-3, 1e-3),
        teacher_size=64,
        decay=0.9,
    )
    made.calibrate()
    return made


def values(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()]).clone()


def test_a_step_trains_both_networks_and_the_discriminator_can_go_first(trainer: GeneratorTrainer) -> None:
    generator, discriminator = values(trainer.generator), values(trainer.discriminator.heads)
    losses = trainer.update(0, train_generator=False)
    assert torch.equal(values(trainer.generator), generator)
    assert not torch.equal(values(trainer.discriminator.heads), discriminator)
    assert "generator" not in losses
    figures = trainer.step(Progress(0, 0.0))
    assert not torch.equal(values(trainer.generator), generator)
    assert {"discriminator", "generator", "diversity", "match"} <= set(figures)
    assert all(np.isfinite(float(loss)) for loss in figures.values())


def test_a_generators_checkpoint_of_an_earlier_version_loads(trainer: GeneratorTrainer) -> None:
    trainer.step(Progress(0, 0.0))
    now_old = {new: old for old, new in GeneratorTrainer.OLD_NAMES.items()}
    state = {now_old.get(name, name): copy.deepcopy(value) for name, value in trainer.state_dict().items()}
    assert {"painter", "judge", "of_painter", "of_judge"} <= set(state)
    generator, discriminator = values(trainer.generator), values(trainer.discriminator.heads)
    trainer.step(Progress(1, 0.0))
    later = values(trainer.discriminator.heads)
    trainer.load_generator(state)
    assert torch.equal(values(trainer.generator), generator)
    assert torch.equal(values(trainer.discriminator.heads), later)
    trainer.load_state_dict(state)
    assert torch.equal(values(trainer.discriminator.heads), discriminator)
