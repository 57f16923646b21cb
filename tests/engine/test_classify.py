"""Training, calibrating and measuring the classifier at toy size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.toy_classifier import TOY, toy_classifier
from tests.engine.toy_training_data import write_training_data
from workers.nets.classifier import Classifier
from workers.training.classifier.data import OPINION, SIZE, Sights, load_sights, views
from workers.training.classifier.evaluate import (
    calibration_error,
    hottest,
    least_calibration_error,
    randomised,
)
from workers.training.classifier.export import embeddings, quantised, temperature_of
from workers.training.classifier.labels import STYLES, heads_of, labels_of, style_of
from workers.training.classifier.outliers import outliers
from workers.training.classifier.plots import confusion, confusion_plot, reliability_plot
from workers.training.classifier.scene_classifier import JudgeConfig, JudgeNet
from workers.training.classifier.train import Batches, Trainer, accuracy, answers_of
from workers.training.common.data import Painting
from workers.training.common.perceptual_teacher import Teacher


@pytest.fixture(scope="module")
def sights(tmp_path_factory: pytest.TempPathFactory) -> Sights:
    folder = write_training_data(tmp_path_factory.mktemp("data") / "data")
    with zipfile.ZipFile(folder / "p.zip") as archive, zipfile.ZipFile(folder / "photos.zip", "w") as photos:
        photos.writestr("photo/1.webp", archive.read(archive.namelist()[0]))
    (folder / "photos.csv").write_text("file\nphoto/1.webp\n", "utf-8")
    cache = tmp_path_factory.mktemp("cache")
    first = load_sights(folder, Teacher(folder), cache, drawn=6)
    again = load_sights(folder, Teacher(folder), cache, drawn=6)
    assert np.array_equal(first.pictures, again.pictures)
    assert np.allclose(first.opinion, again.opinion)
    return first


def row(style: str, artist: str = "Claude Monet") -> Painting:
    return Painting("f", "s", artist, style, "landscape", "t")


def test_rows_name_one_style_or_none() -> None:
    assert style_of(row("Post Impressionism")) == "Post-Impressionism"
    assert style_of(row("Ukiyo e|Shin hanga")) == "Japanese prints"
    assert style_of(row("Impressionism|Cubism")) == ""
    assert style_of(row("Magic Realism")) == style_of(row("")) == ""


def test_heads_ask_only_what_a_row_can_answer() -> None:
    rows = [row("Cubism", "A"), row("Cubism", "A"), row("Cubism", "B"), row("?", "")]
    heads = heads_of(rows)
    assert heads["painter"] == ("A", "B")
    labels = labels_of(rows, heads)
    assert labels["painter"].tolist() == [0, 0, 1, -1]
    assert labels["style"].tolist() == [list(STYLES).index("Cubism")] * 3 + [-1]
    assert labels["source"].tolist() == [0] * 4


def test_everything_to_look_at_has_a_source_and_an_opinion(sights: Sights) -> None:
    count = len(sights.rows)
    assert sights.pictures.shape == (count + 7, SIZE, SIZE, 3)
    assert sights.opinion.shape == (count + 7, OPINION)
    assert np.isfinite(sights.opinion).all()
    assert sights.labels["source"].tolist() == [0] * count + [1] + [2] * 6
    assert (sights.labels["style"][count:] == -1).all()
    assert sights.ratio[0] == pytest.approx(160 / 150)


def test_views_are_squares_in_range_and_differ() -> None:
    pictures = torch.from_numpy(outliers(3, SIZE, 5))
    x = views(pictures, torch.tensor([0.4, 1.0, 2.5]), 64, torch.Generator().manual_seed(1))
    again = views(pictures, torch.tensor([0.4, 1.0, 2.5]), 64, torch.Generator().manual_seed(2))
    assert x.shape == (3, 3, 64, 64)
    assert x.min() >= -1
    assert x.max() <= 1
    assert not torch.allclose(x, again)


def test_it_learns_what_it_is_shown(sights: Sights) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": sights.heads, "embedding": OPINION})
    torch.manual_seed(1)
    trainer = Trainer(config, torch.device("cpu"), 3e-3, 1.0)
    batches = Batches(sights, 16, torch.Generator().manual_seed(3))
    trainer.schedule(0.1)
    losses = [trainer.step(*batches.next(64), step) for step in range(25)]
    assert losses[-1]["source"] < 0.6 * losses[0]["source"]
    assert losses[-1]["opinion"] < losses[0]["opinion"]
    rows = sights.of(1)[:6]
    figures = accuracy(answers_of(trainer.net, sights, rows, 64), sights, rows)
    assert figures["painter"] == figures["style"] == 1  # there is one of each


def test_a_judges_trunk_is_taken_over_whole(sights: Sights) -> None:
    torch.manual_seed(6)
    judge = JudgeNet(JudgeConfig(tags=("a",), stem=8, widths=(8, 12, 16))).eval()
    config = TOY.from_card(TOY.to_card() | {"heads": sights.heads, "blocks": (1, 2, 3)})
    trainer = Trainer(config, torch.device("cpu"), 1e-3, 1.0)
    trainer.begin(judge)
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    assert torch.allclose(trainer.average.features(x)[3], judge.trunk(x), atol=1e-5)
    other = JudgeNet(JudgeConfig(tags=("a",), stem=8, widths=(8, 12, 24)))
    with pytest.raises(ValueError, match="other sizes"):
        trainer.begin(other)


def test_a_run_goes_on_where_it_stopped(sights: Sights) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": sights.heads, "embedding": OPINION})
    first, second = (Trainer(config, torch.device("cpu"), 1e-3, 1.0) for _ in range(2))
    batches = Batches(sights, 8, torch.Generator().manual_seed(3))
    first.step(*batches.next(64), 0)
    second.load(first.state())
    view = batches.next(64)
    torch.manual_seed(0)
    a = first.step(*view, 1)
    torch.manual_seed(0)
    assert second.step(*view, 1) == a


def test_a_temperature_makes_overconfidence_honest() -> None:
    torch.manual_seed(4)
    known = torch.randint(0, 3, (600,))
    right = torch.rand(600) < 0.7
    said = torch.where(right, known, (known + 1) % 3)
    logits = torch.nn.functional.one_hot(said, 3).float() * 4
    temperature = temperature_of(logits, known)
    before, _ = calibration_error(logits.softmax(1), known)
    after, bins = calibration_error((logits / temperature).softmax(1), known)
    assert temperature > 1.5
    assert before > 0.2
    assert after < 0.06
    assert sum(count for _, _, count in bins) == 600


def test_even_perfect_shares_have_an_error_on_few_pictures_and_less_on_many() -> None:
    shares = torch.tensor([[0.7, 0.2, 0.1]])
    few, many = (least_calibration_error(shares.expand(count, -1)) for count in (20, 2000))
    assert 0.02 < few < 0.2
    assert many < 0.02


def test_quantised_vectors_point_the_same_way(sights: Sights) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": sights.heads})
    torch.manual_seed(1)
    vectors = embeddings(Classifier(config).eval(), sights, np.arange(4))
    small = quantised(vectors)
    assert small.dtype == torch.int8
    assert torch.allclose(torch.nn.functional.normalize(small.float(), dim=1), vectors, atol=0.02)


def test_the_hottest_fifth_is_a_fifth_and_the_hottest() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[0, 0] = 1
    mask = hottest(heat, 64, 96, 0.2)
    assert float(mask.mean()) == pytest.approx(0.2, abs=0.01)
    assert mask[0, 0, 4, 4] == 1


def test_randomised_weights_are_others_where_they_should_be() -> None:
    net = toy_classifier()
    x = torch.rand(1, 3, 64, 64)
    late = randomised(net, last_only=True)
    assert torch.equal(late.features(x)[1], net.features(x)[1])
    assert not torch.allclose(late.features(x)[3], net.features(x)[3])
    assert not torch.allclose(randomised(net, last_only=False).features(x)[1], net.features(x)[1])


def test_answers_are_drawn(tmp_path: Path) -> None:
    known, guessed = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert confusion(known, guessed, 3).tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]
    confusion_plot(known, guessed, ["a", "b", "c"], tmp_path / "c.png")
    reliability_plot({"style": [(0.5, 0.4, 3)]}, tmp_path / "r.png")
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert (tmp_path / "r.png").stat().st_size > 1000
