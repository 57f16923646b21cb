"""Training, calibrating and measuring the classifier at toy size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.toy_classifier import TOY, toy_classifier
from tests.engine.toy_training_data import write_training_data
from workers.nets.classifier import Classifier, ClassifierConfig
from workers.training.classifier.data import (
    EMBEDDING,
    SIZE,
    VALIDATION,
    ClassificationData,
    load_classification_data,
    random_crops,
)
from workers.training.classifier.evaluate import (
    calibration_error,
    hottest_share,
    least_calibration_error,
    randomised,
)
from workers.training.classifier.export import embeddings, quantised, temperature_of
from workers.training.classifier.labels import STYLES, heads_of, labels_of, style_of
from workers.training.classifier.outliers import outliers
from workers.training.classifier.plots import confusion, confusion_plot, reliability_plot
from workers.training.classifier.scene_classifier import SceneClassifierConfig, SceneClassifierNet
from workers.training.classifier.train import Batches, ClassifierTrainer, accuracy, logits_of
from workers.training.common.data import Painting
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Progress
from workers.training.common.setup import Setup


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ClassificationData:
    folder = write_training_data(tmp_path_factory.mktemp("data") / "data")
    with zipfile.ZipFile(folder / "p.zip") as archive, zipfile.ZipFile(folder / "photos.zip", "w") as photos:
        photos.writestr("photo/1.webp", archive.read(archive.namelist()[0]))
    (folder / "photos.csv").write_text("file\nphoto/1.webp\n", "utf-8")
    cache = tmp_path_factory.mktemp("cache")
    first = load_classification_data(folder, Teacher(folder), cache, drawn=6)
    again = load_classification_data(folder, Teacher(folder), cache, drawn=6)
    assert np.array_equal(first.pictures, again.pictures)
    assert np.allclose(first.teacher_embedding, again.teacher_embedding)
    return first


def trainer(
    config: ClassifierConfig, data: ClassificationData, batch: int = 8, rate: float = 1e-3
) -> ClassifierTrainer:
    stream = torch.Generator().manual_seed(3)
    setup = Setup(torch.device("cpu"), 3, stream)
    batches = Batches(data, batch, stream)
    return ClassifierTrainer(config, data, batches, setup, rate=rate, distillation=1.0, early_side=64)


def scene_net(last: int) -> SceneClassifierNet:
    return SceneClassifierNet(SceneClassifierConfig(tags=("a",), stem=8, widths=(8, 12, last)))


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


def test_every_picture_has_a_source_and_a_teacher_embedding(data: ClassificationData) -> None:
    count = len(data.rows)
    assert data.pictures.shape == (count + 7, SIZE, SIZE, 3)
    assert data.teacher_embedding.shape == (count + 7, EMBEDDING)
    assert np.isfinite(data.teacher_embedding).all()
    assert data.labels["source"].tolist() == [0] * count + [1] + [2] * 6
    assert (data.labels["style"][count:] == -1).all()
    assert data.ratio[0] == pytest.approx(160 / 150)


def test_random_crops_are_squares_in_range_and_differ() -> None:
    pictures = torch.from_numpy(outliers(3, SIZE, 5))
    x = random_crops(pictures, torch.tensor([0.4, 1.0, 2.5]), 64, torch.Generator().manual_seed(1))
    again = random_crops(pictures, torch.tensor([0.4, 1.0, 2.5]), 64, torch.Generator().manual_seed(2))
    assert x.shape == (3, 3, 64, 64)
    assert x.min() >= -1
    assert x.max() <= 1
    assert not torch.allclose(x, again)


def test_it_learns_what_it_is_shown(data: ClassificationData) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": data.heads, "embedding": EMBEDDING})
    torch.manual_seed(1)
    trained = trainer(config, data, batch=16, rate=3e-3)
    losses = [dict(trained.step(Progress(step, 0.1))) for step in range(25)]
    assert losses[-1]["source"] < 0.6 * losses[0]["source"]
    assert losses[-1]["distillation"] < losses[0]["distillation"]
    rows = data.indices(VALIDATION)[:6]
    figures = accuracy(logits_of(trained.net, data, rows, 64), data, rows)
    assert figures["painter_accuracy"] == figures["style_accuracy"] == 1  # there is one of each


def test_the_trunk_of_a_scene_classifier_is_taken_over(data: ClassificationData) -> None:
    torch.manual_seed(6)
    scenes = scene_net(16).eval()
    config = TOY.from_card(TOY.to_card() | {"heads": data.heads, "blocks": (1, 2, 3)})
    trained = trainer(config, data)
    trained.start_from(scenes)
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    assert torch.allclose(trained.average.features(x)[3], scenes.trunk(x), atol=1e-5)
    with pytest.raises(ValueError, match="other sizes"):
        trained.start_from(scene_net(24))


def test_a_run_goes_on_where_it_stopped(data: ClassificationData) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": data.heads, "embedding": EMBEDDING})
    first, second = (trainer(config, data) for _ in range(2))
    first.update(*first.batches.next(64), 0)
    second.load_state_dict(first.state_dict())
    batch = first.batches.next(64)
    torch.manual_seed(0)
    losses = first.update(*batch, 1)
    torch.manual_seed(0)
    assert second.update(*batch, 1) == losses


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


def test_quantised_vectors_point_the_same_way(data: ClassificationData) -> None:
    config = TOY.from_card(TOY.to_card() | {"heads": data.heads})
    torch.manual_seed(1)
    vectors = embeddings(Classifier(config).eval(), data, np.arange(4))
    small = quantised(vectors)
    assert small.dtype == torch.int8
    assert torch.allclose(torch.nn.functional.normalize(small.float(), dim=1), vectors, atol=0.02)


def test_the_hottest_fifth_is_a_fifth_and_the_hottest() -> None:
    heat = np.zeros((4, 6), np.float32)
    heat[0, 0] = 1
    mask = hottest_share(heat, 64, 96, 0.2)
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
