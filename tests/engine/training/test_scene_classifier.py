"""The scene classifier: labels from titles, a few steps of training, and what a checkpoint gives back."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.toy_training_data import write_training_data
from workers.training.classifier import train_scene_classifier
from workers.training.classifier.scene_classifier import SceneClassifier, reliability
from workers.training.classifier.scene_labels import SCENES, UNKNOWN, scene_of, tags_of
from workers.training.common.data import Painting
from workers.training.common.feature_metrics import uint8_batches


def painting(title: str, genre: str = "landscape") -> Painting:
    return Painting("small/1.webp", "x.zip", "Claude Monet", "Impressionism|Realism", genre, title)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("title", "genre", "scene"),
    [
        ("Waves at the Beach", "landscape", "sea"),
        ("Mount Everest", "landscape", "mountain"),
        ("Undergrowth", "landscape", "forest"),
        ("Winter in the Forest", "landscape", "winter"),
        ("Moonrise over the Forest", "landscape", "night"),
        ("Wheatfield with Crows", "landscape", "field"),
        ("Garden in Bloom", "landscape", "garden"),
        ("Parade Platanes", "cityscape", "city"),
        ("The Thames at Westminster", "cityscape", "city"),
        # Two scenes, none, a city by the sea, snow at night, and no view at all.
        ("Meadow at the Foot of the Alps", "landscape", ""),
        ("The Seine at Bougival", "landscape", ""),
        ("Beach Promenade", "cityscape", ""),
        ("Winter Night", "landscape", ""),
        ("Woman in a Garden", "portrait", ""),
    ],
)
def test_a_title_names_one_scene_or_none(title: str, genre: str, scene: str) -> None:
    assert scene_of(painting(title, genre)) == (SCENES.index(scene) if scene else UNKNOWN)


def test_tags_are_all_that_the_row_says() -> None:
    assert tags_of(painting("View of the Sea at Night")) == {
        "sea",
        "night",
        "artist:Claude Monet",
        "style:Impressionism",
        "style:Realism",
        "genre:landscape",
    }


def test_reliability_says_what_is_taken_for_what() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.full((4, 8), 0.01)
    probabilities[[0, 1, 2, 3], [0, 2, 1, 1]] = 0.9
    probabilities[1, 0] = 0.5
    figures = reliability(probabilities, truth)
    assert figures["first_guess_right"] == 0.75
    assert figures["among_first_two"] == 1
    assert figures["per_scene"][SCENES[0]] == 0.5
    assert figures["confusion"][SCENES[0]] == {SCENES[0]: 1, SCENES[2]: 1}


def test_a_training_resumes_and_its_checkpoint_classifies(tmp_path: Path) -> None:
    data = write_training_data(tmp_path / "data")
    parser = argparse.ArgumentParser()
    train_scene_classifier.add_arguments(parser)
    command = ["--data", str(data), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    command += ["--batch", "16", "--steps", "3"]
    train_scene_classifier.main(parser.parse_args(command))
    assert SceneClassifier.load(tmp_path / "run", torch.device("cpu")).reliability["steps"] == 3
    train_scene_classifier.main(parser.parse_args([*command, "--resume"]))
    loaded = SceneClassifier.load(tmp_path / "run", torch.device("cpu"))
    assert loaded.reliability["steps"] == 6
    assert loaded.reliability["pictures"] > 0
    pictures = np.random.default_rng(1).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    scenes = loaded.scenes(uint8_batches(pictures))
    assert scenes.shape == (3, 8)
    assert scenes.sum(1) == pytest.approx(1)
    # The mean over a picture and its mirror image: the mirror image has the same.
    mirrored = loaded.scenes(uint8_batches(pictures[:, :, ::-1]))
    assert mirrored == pytest.approx(scenes, abs=1e-5)
    assert loaded.features(uint8_batches(pictures)).shape == (3, 320)
    assert loaded.tags(uint8_batches(pictures)).shape == (3, len(loaded.net.config.tags))


def test_a_folder_without_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SceneClassifier.load(tmp_path, torch.device("cpu"))
