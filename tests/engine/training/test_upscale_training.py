"""The upscaler's training, export and evaluation at toy size."""

from __future__ import annotations

import argparse
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.toy_training_data import write_training_data
from workers import weights
from workers.engines.upscale import UpscaleEngine
from workers.nets.generator import Generator, GeneratorConfig
from workers.nets.upscaler import UpscalerConfig
from workers.training.common.data import is_validation
from workers.training.common.perceptual_distance import perceptual_distance, psnr
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import Setup, seed_everything
from workers.training.upscaler import evaluate, export, train
from workers.training.upscaler.degradation import degrade, halved
from workers.training.upscaler.grid_loss import grid_gradient_loss, grid_pattern_loss
from workers.training.upscaler.patches import GeneratedPool, PatchSource
from workers.training.upscaler.validation import bicubic

TOY = UpscalerConfig(channels=8, blocks=1, fine=8)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def strokes(number: int, width: int, height: int) -> Image.Image:
    """Something with edges: blocks of colour."""
    blocks = np.random.default_rng(number).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with large paintings, photographs and styles."""
    folder = write_training_data(tmp_path_factory.mktemp("upscale") / "data")
    names = [f"large/{number:05d}.webp" for number in range(120)]
    chosen = [n for n in names if is_validation(n)][:3] + [n for n in names if not is_validation(n)][:5]
    with (
        (folder / "paintings.csv").open("a", newline="", encoding="utf-8") as table,
        zipfile.ZipFile(folder / "paintings-large-0.zip", "w") as archive,
    ):
        for number, name in enumerate(chosen):
            csv.writer(table).writerow([name, archive_name(archive), "", "", "landscape", "", "", 256, 256])
            archive.writestr(name, encoded(strokes(number, 256, 256)))
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.writestr("photo/2.webp", encoded(strokes(90, 224, 224)))
    (folder / "photos.csv").write_text("file\nphoto/2.webp\n", "utf-8")
    (folder / "styles").mkdir()
    strokes(91, 300, 200).save(folder / "styles" / "waves.jpg")
    (folder / "styles.csv").write_text("file,artist,title\nstyles/waves.jpg,A,B\n", "utf-8")
    return folder


def archive_name(archive: zipfile.ZipFile) -> str:
    return Path(str(archive.filename)).name


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=95)
    return out.getvalue()


def options(module: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def trainer(data: Path, generated: GeneratedPool | None = None) -> train.UpscalerTrainer:
    setup = Setup(torch.device("cpu"), 1, seed_everything(1))
    made = train.UpscalerTrainer(
        TOY, Teacher(data), PatchSource(data, 10), setup, batch=8, crop=64, generated=generated
    )
    made.calibrate()
    return made


def values(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()]).clone()


def test_the_discriminator_learns_only_after_the_first_steps(data: Path) -> None:
    made = trainer(data)
    net, discriminator = values(made.net), values(made.discriminator)
    losses = made.update(0)
    assert not torch.equal(values(made.net), net)
    assert torch.equal(values(made.discriminator), discriminator)
    assert "real" not in losses
    losses = made.update(train.ADVERSARIAL_START)
    assert not torch.equal(values(made.discriminator), discriminator)
    assert torch.isfinite(torch.stack(list(losses.values()))).all()


def test_checkpoints_of_earlier_versions_still_load(data: Path) -> None:
    made, other = trainer(data), trainer(data)
    made.update(0)
    old = {"discriminator": "judge", "optimiser": "of_net", "discriminator_optimiser": "of_judge"}
    state = {old.get(name, name): value for name, value in made.state_dict().items() if name != "generated"}
    other.load_state_dict(state | {"own": True})
    assert torch.equal(values(other.net), values(made.net))
    assert torch.equal(values(other.average), values(made.average))
    assert other.saw_generated


def test_pictures_of_a_generator_are_learned_from_and_kept_consistent(data: Path, tmp_path: Path) -> None:
    config = GeneratorConfig(condition=4, latent=4, embedding=4, channels=(8, 8, 8, 8))
    state = {
        "config": config.to_card(),
        "average": Generator(config).state_dict(),
        "conditions": torch.randn(3, 4),
    }
    torch.save({"step": 1, "elapsed": 1.0, "state": state}, tmp_path / "checkpoint.pt")
    generated = GeneratedPool(tmp_path / "checkpoint.pt", count=16)
    assert generated.pictures.shape == (16, 3, 64, 64)
    made = trainer(data, generated)
    losses = made.update(train.ADVERSARIAL_START)
    assert losses["consistency"] > 0
    assert made.state_dict()["generated"]


def test_a_run_resumes_and_its_export_is_an_engine(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, models = tmp_path / "run", tmp_path / "models"
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(models))
    words: tuple[str, ...] = ("--data", str(data), "--out", str(run), "--channels", "8", "--blocks", "1")
    words += ("--batch", "4", "--crop", "64", "--minutes", "0.05")
    train.main(options(train, *words))
    before = torch.load(run / "checkpoint.pt", weights_only=True)
    train.main(options(train, *words, "--resume"))
    after = torch.load(run / "checkpoint.pt", weights_only=True)
    assert after["step"] > before["step"] > 0
    assert {path.name for path in run.iterdir()} >= {"sheet.jpg", "curves.png", "log.jsonl"}
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert last["of_bicubic"] > 0

    export.main(options(export, "--checkpoint", str(run / "checkpoint.pt"), "--to", str(models)))
    card = weights.load_card(models / "paint-upscaler")
    assert card["steps"] == after["step"]
    assert "own pictures" not in card["data"]
    enlarged = UpscaleEngine().enlarge(strokes(5, 40, 32), 2)
    assert enlarged.size == (80, 64)

    evaluate.main(options(evaluate, "--data", str(data), "--pictures", "2", "--largest", "64"))
    quality = weights.load_card(models / "paint-upscaler")["quality"]
    assert quality["4x"]["bicubic"]["of_bicubic"] == 1
    assert quality["2x"]["nearest"]["psnr"] > 0
    assert quality["seams"] == pytest.approx(1, abs=0.02)
    assert (models / "paint-upscaler" / "sheet.jpg").is_file()


@pytest.mark.parametrize("factor", [2, 4])
def test_pairs_are_made_small_and_only_some_degraded(factor: int) -> None:
    images = torch.stack([torch.rand(3, 64, 64) for _ in range(12)]) * 2 - 1
    clean, dirty, again = (
        degrade(images, torch.Generator().manual_seed(seed), factor, share)
        for seed, share in ((2, 0.0), (3, 1.0), (3, 1.0))
    )
    assert clean.shape == dirty.shape == (12, 3, 64 // factor, 64 // factor)
    assert torch.equal(dirty, again)
    small = halved(images) if factor == 2 else halved(halved(images))
    apart = (clean - small).abs().mean((1, 2, 3))
    # Averaging is the most frequent filter; 8 bits a channel are what is left of it.
    assert (apart < 1 / 127).sum() >= 4
    assert ((dirty - small).abs().mean((1, 2, 3)) > apart).sum() >= 9


def test_the_distance_grows_with_the_damage(data: Path) -> None:
    teacher = Teacher(data)
    true = torch.rand(2, 3, 64, 64) * 2 - 1
    a_little, a_lot = (true + strength * torch.randn(true.shape) for strength in (0.05, 0.5))
    assert perceptual_distance(teacher, true, true).max() < 1e-6
    assert (perceptual_distance(teacher, a_little, true) < perceptual_distance(teacher, a_lot, true)).all()
    assert psnr(true, true).min() > 90
    assert psnr((true + 0.2).clamp(-1, 1), true).max() < 25


def test_grid_losses_are_high_for_blocks_and_meshes_only() -> None:
    stream = torch.Generator().manual_seed(4)
    noise = torch.rand(4, 3, 96, 96, generator=stream) * 2 - 1
    small = torch.rand(4, 3, 24, 24, generator=stream) * 2 - 1
    smooth = bicubic(small, 4)
    blocks = torch.nn.functional.interpolate(small, scale_factor=4.0)
    assert grid_gradient_loss(blocks) > 20 * max(grid_gradient_loss(noise), grid_gradient_loss(smooth))
    mesh = smooth + 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(48, 48)
    assert grid_pattern_loss(mesh) > 0.4
    assert grid_pattern_loss(noise) == pytest.approx(1 / 16, rel=0.1)
