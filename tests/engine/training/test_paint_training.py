"""What the training of the painter rests on: augmentation, captions, distances, losses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.generator import GeneratorConfig, draw_many
from workers.nets.matcher import Matcher, MatcherConfig
from workers.training.common.data import Painting
from workers.training.common.efficientnet_lite import EfficientNetLite
from workers.training.common.feature_metrics import Moments, frechet, kernel_distance
from workers.training.common.run import Progress
from workers.training.common.setup import Setup, seed_everything
from workers.training.generator.augmentation import augment
from workers.training.generator.data import MARGIN, Batches, mismatched
from workers.training.generator.growth import FADE, FIT
from workers.training.generator.trainer import GeneratorTrainer, layout_distance, mix_styles
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


WORDS = ("sea", "forest", "night", "red")


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    return EfficientNetLite.load()


def trainer_of(
    network: EfficientNetLite, channels: tuple[int, ...], precision: torch.dtype = torch.bfloat16
) -> GeneratorTrainer:
    """A generator for four words that learns from eight pictures of noise."""
    config = GeneratorConfig(condition=16, latent=4, embedding=4, channels=channels, mapping=True, limit=2.5)
    captions = np.eye(4, dtype=np.float32)[np.arange(8) % 4]
    side = config.size + MARGIN
    pictures = np.random.default_rng(1).integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    views = CaptionedPictures(pictures, captions, WORDS, np.zeros(8, bool), np.zeros((8, 512)))
    setup = Setup(torch.device("cpu"), 1, seed_everything(1), precision)
    sizes = MatcherConfig(words=WORDS, embedding=16, token=8, hidden=8, size=32, stem=4, widths=(8,))
    matcher = MatcherModel(Matcher(sizes), setup.device)
    made = GeneratorTrainer(
        config,
        matcher,
        network,
        Batches(views, matcher, config.size, 4, setup.generator),
        setup,
        rates=(1e-3, 1e-3),
        teacher_size=64,
        decay=0.9,
    )
    made.calibrate()
    return made


@pytest.fixture
def trainer(network: EfficientNetLite) -> GeneratorTrainer:
    return trainer_of(network, (8, 8, 8, 8))


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


def test_both_precisions_have_the_same_losses(network: EfficientNetLite) -> None:
    figures = []
    for precision in (torch.float32, torch.bfloat16):
        made = trainer_of(network, (8, 8, 8, 8), precision)
        torch.manual_seed(5)
        figures.append({name: float(loss) for name, loss in made.update(0).items()})
    exact, fast = figures
    # bfloat16 has 8 bits of mantissa; losses are of the order of 1.
    assert fast == {name: pytest.approx(value, rel=0.05, abs=0.05) for name, value in exact.items()}


def test_a_generators_checkpoint_of_an_earlier_version_is_gone_on_with(trainer: GeneratorTrainer) -> None:
    trainer.step(Progress(0, 0.0))
    generator, discriminator = values(trainer.generator), values(trainer.discriminator.heads)
    state = copy.deepcopy(trainer.state_dict())
    trainer.step(Progress(1, 0.0))
    later = values(trainer.discriminator.heads)
    now_old = {new: old for old, new in GeneratorTrainer.OLD_NAMES.items()}
    old = {now_old.get(name, name): value for name, value in state.items()}
    assert {"painter", "judge"} <= set(old)
    trainer.load_generator(old)
    assert torch.equal(values(trainer.generator), generator)
    assert torch.equal(values(trainer.discriminator.heads), later)
    trainer.load_state_dict(state)
    assert torch.equal(values(trainer.discriminator.heads), discriminator)


def test_a_generator_grows_out_of_a_smaller_one(network: EfficientNetLite) -> None:
    small = trainer_of(network, (8, 8, 8, 8))
    small.step(Progress(0, 0.0))
    large = trainer_of(network, (8, 8, 8, 8, 4))
    large.grow(small.state_dict(), 40)
    start = large.generator.start.weight
    before, heads = start.detach().clone(), values(large.discriminator.heads)
    first = float(large.step(Progress(40, 0.0))["fit"])
    last = min(float(large.step(Progress(41, 0.0))["fit"]) for _ in range(12))
    # The new block learns to enlarge; what was taken over rests, and so does the discriminator.
    assert last < first
    assert torch.equal(start, before)
    assert torch.equal(values(large.discriminator.heads), heads)
    # A run that is stopped while it grows goes on growing.
    again = trainer_of(network, (8, 8, 8, 8, 4))
    again.load_state_dict(copy.deepcopy(large.state_dict()))
    figures = again.step(Progress(40 + FIT, 0.0))
    assert "generator" in figures
    assert torch.equal(again.generator.start.weight, before)
    again.step(Progress(40 + FIT + FADE, 0.0))
    assert again.growth is None
    assert not torch.equal(again.generator.start.weight, before)


def test_pictures_fade_from_the_smaller_generators_to_the_new_ones(network: EfficientNetLite) -> None:
    small = trainer_of(network, (8, 8, 8, 8))
    large = trainer_of(network, (8, 8, 8, 8, 4))
    large.grow(small.state_dict(), 0)
    assert large.growth is not None
    shares = [large.growth.share(step) for step in (0, FIT, FIT + FADE // 2, FIT + FADE, 9999)]
    assert shares == [0, 0, 0.5, 1, 1]
    latents = draw_many(large.generator.config, 2)
    styles = large.generator.styles(torch.zeros(2, 16), latents.z)
    enlarged = large.growth.enlarged(styles, latents.noise)
    alone = small.average.colours(styles[:, :-1], latents.noise[:-1])
    assert enlarged.shape == (2, 3, 128, 128)
    assert torch.allclose(F.adaptive_avg_pool2d(enlarged, 64), alone, atol=0.05)


def test_only_a_generator_of_half_the_size_can_be_grown(network: EfficientNetLite) -> None:
    large = trainer_of(network, (8, 8, 8, 8, 4))
    for channels in ((8, 8, 8, 4), (8, 8, 8, 8, 4)):
        with pytest.raises(ValueError, match="cannot take over"):
            large.grow(trainer_of(network, channels).state_dict(), 0)


def test_two_prompts_share_latents_but_no_prompt_repeats_them(
    trainer: GeneratorTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.training.generator.trainer.SHARED_LATENTS", 1.0)
    z = trainer._latents(8).z
    assert torch.equal(z[:2], z[2:4])
    assert torch.equal(z[4:6], z[6:])
    assert not torch.equal(z[:4], z[4:])
