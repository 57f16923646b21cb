"""The loop of every training: budget, checkpoints, log, signals, precision; a model of one number."""

from __future__ import annotations

import argparse
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from workers.training.common import setup as training_setup
from workers.training.common.optimise import decay_at, take_step, update_average
from workers.training.common.run import (
    CHECKPOINT,
    Figures,
    Progress,
    Trainer,
    TrainingRun,
    run_training,
)
from workers.training.common.setup import Setup, precision_of, prepare, run_arguments

CPU = torch.device("cpu")


class Toy(Trainer):
    """A weight that approaches 1."""

    OLD_NAMES = {"judge": "net"}

    def __init__(self, stop_at: int | None = None) -> None:
        self.net = nn.Linear(1, 1, bias=False)
        self.optimiser = torch.optim.SGD(self.net.parameters(), 0.1)
        self.parts = {"net": self.net, "optimiser": self.optimiser}
        self.stop_at = stop_at
        self.shares: list[float] = []
        self.sheets: list[int] = []
        self.validated: list[bool] = []

    def step(self, progress: Progress) -> Figures:
        if progress.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        self.shares.append(progress.share)
        loss = (self.net.weight - 1).square().sum()
        take_step(loss, self.optimiser)
        figures: dict[str, float | torch.Tensor] = {"loss": loss, "number": float(progress.step)}
        return figures | ({"odd": 1.0} if progress.step % 2 else {})

    def sheet(self, folder: Path, step: int) -> None:
        self.sheets.append(step)

    def validate(self, complete: bool = False) -> Figures:
        self.validated.append(complete)
        return {"error": 0.5}


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def checkpoint(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)
    return saved


def limited(folder: Path, steps: int, **options: Any) -> TrainingRun:
    run = TrainingRun(folder, 10, **options)
    run.limit_steps(0, steps)
    return run


def test_a_run_ends_at_its_last_step_and_logs_means(tmp_path: Path) -> None:
    trainer = Toy()
    run_training(limited(tmp_path, 10), trainer, log_every=4, sheet_every=5)
    lines = log_of(tmp_path)
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert [line.get("number") for line in lines] == [1.5, 5.5, 8.5]
    assert lines[0]["odd"] == 1  # the mean over the steps that have it
    assert lines[2]["error"] == 0.5
    assert trainer.sheets == [5, 10, 10]
    assert trainer.validated == [True]
    assert trainer.shares == pytest.approx([step / 10 for step in range(10)], abs=1e-3)
    assert checkpoint(tmp_path)["step"] == 10
    assert (tmp_path / "curves.png").is_file()


def test_a_run_goes_on_from_its_checkpoint_and_from_one_with_old_names(tmp_path: Path) -> None:
    first = Toy()
    run_training(limited(tmp_path, 3), first)
    saved = checkpoint(tmp_path)
    saved["state"]["judge"] = saved["state"].pop("net")
    torch.save(saved, tmp_path / CHECKPOINT)
    second, run = Toy(), limited(tmp_path, 5)
    state = run.restore(CPU)
    assert state is not None
    second.load_state_dict(state)
    assert torch.equal(second.net.weight, first.net.weight)
    run_training(run, second)
    assert len(second.shares) == 2
    assert checkpoint(tmp_path)["step"] == 5
    assert checkpoint(tmp_path)["elapsed"] >= saved["elapsed"]
    assert limited(tmp_path / "new", 5).restore(CPU) is None


def test_a_signal_ends_a_run_after_its_step_with_a_checkpoint(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    trainer = Toy(stop_at=4)
    run_training(limited(tmp_path, 100), trainer)
    assert checkpoint(tmp_path)["step"] == 5
    assert trainer.validated == trainer.sheets == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_budget_without_time_makes_one_step_and_a_finished_plan_none(tmp_path: Path) -> None:
    trainer = Toy()
    run_training(TrainingRun(tmp_path, 0), trainer)
    assert len(trainer.shares) == 1
    run = TrainingRun(tmp_path, 10, plan_minutes=1, whole_run=True)
    run.continues(7, 60)
    run_training(run, trainer)
    assert len(trainer.shares) == 1
    assert checkpoint(tmp_path)["step"] == 7


def test_a_plan_counts_all_calls_together(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, 1, plan_minutes=10)
    run.continues(50, 300)
    assert run.running()
    assert run.progress().share == pytest.approx(0.5, abs=0.01)
    own = TrainingRun(tmp_path, 1)
    own.continues(50, 300)
    assert own.running()
    assert own.progress().share == pytest.approx(0, abs=0.05)


def test_checkpoints_and_validations_come_when_they_are_due(tmp_path: Path) -> None:
    trainer = Toy()
    run = limited(tmp_path, 3, save_every=0.0)
    steps: list[int] = []
    save = run.save

    def counted(state: dict[str, Any]) -> None:
        steps.append(run.step)
        save(state)

    run.save = counted  # type: ignore[method-assign,assignment]
    run_training(run, trainer, validate_every=0.0)
    assert steps == [1, 2, 3, 3]
    assert trainer.validated == [False, False, False, True]


def parsed(*words: str, **options: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run_arguments(parser, "runs/toy", 5, **options)
    return parser.parse_args(["--data", "d", *words])


@pytest.mark.parametrize(
    ("choice", "device", "faster", "expected"),
    [
        ("float32", "cuda", True, torch.float32),
        ("bfloat16", "cpu", False, torch.bfloat16),
        ("auto", "cpu", True, torch.bfloat16),
        ("auto", "cpu", False, torch.float32),
        ("auto", "cuda", False, torch.bfloat16),
        ("auto", "mps", True, torch.float32),
    ],
)
def test_precision_is_what_the_machine_is_fast_at(
    choice: str, device: str, faster: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_setup, "bfloat16_is_faster", lambda convolutional: faster)
    assert precision_of(choice, torch.device(device), True) is expected


@pytest.mark.parametrize("convolutional", [True, False])
def test_both_precisions_are_tried_on_this_processor(convolutional: bool) -> None:
    assert training_setup.bfloat16_is_faster(convolutional) in (True, False)


def test_options_become_a_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    plain = parsed("--precision", "float32", always_resumes=True, convolutional=False)
    assert not hasattr(plain, "resume")
    assert not prepare(plain).channels_last
    chosen = prepare(parsed("--precision", "bfloat16"))
    conv = chosen.place(nn.Conv2d(3, 4, 3))
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    with chosen.autocast():
        assert conv(torch.zeros(1, 3, 8, 8)).dtype is torch.bfloat16
    with prepare(plain).autocast():
        assert conv(torch.zeros(1, 3, 8, 8)).dtype is torch.float32


def test_a_run_that_goes_on_draws_other_numbers() -> None:
    setup = Setup(CPU, 1, torch.Generator())
    setup.reseed(10)
    first = torch.rand(3, generator=setup.generator), torch.rand(3)
    setup.reseed(11)
    assert not torch.equal(torch.rand(3, generator=setup.generator), first[0])
    assert not torch.equal(torch.rand(3), first[1])


def test_the_running_average_is_short_at_first_and_may_take_statistics_over() -> None:
    assert decay_at(0, 0.9, 10) == pytest.approx(0.1)
    assert decay_at(1000, 0.9, 10) == 0.9
    net, averaged, copied = (nn.BatchNorm1d(2) for _ in range(3))
    with torch.no_grad():
        net.weight.fill_(3.0)
        net.running_mean.fill_(4.0)  # type: ignore[union-attr]
        net.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    update_average(averaged, net, 0.75)
    update_average(copied, net, 0.75, average_buffers=False)
    assert averaged.weight.tolist() == copied.weight.tolist() == [1.5, 1.5]
    assert averaged.running_mean.tolist() == [1.0, 1.0]  # type: ignore[union-attr]
    assert copied.running_mean.tolist() == [4.0, 4.0]  # type: ignore[union-attr]
    assert averaged.num_batches_tracked.item() == 7  # type: ignore[union-attr]
