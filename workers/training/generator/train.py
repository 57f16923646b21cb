"""``python -m workers.training gan``: train the painting generator.

Begin at 64 px, where a step is quick and composition is learned, and grow while it pays:
``--channels 512 384 256 192 --teacher-size 112``, then ``--grow-from RUN/checkpoint.pt`` with one more
channel and ``--teacher-size 128`` for 128 px, then again for 256 px. ``--start-from CHECKPOINT`` takes over a
generator of the same size and trains a new discriminator, alone at first.
On a GPU take ``--batch 64 --average 0.999``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from workers.engines.vision.text_image_matcher import MODEL, MatcherModel
from workers.nets.generator import GeneratorConfig
from workers.training.common.efficientnet_lite import EfficientNetLite
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, run_training
from workers.training.common.setup import cache_argument, prepare, run_arguments
from workers.training.generator.data import MARGIN, Batches
from workers.training.generator.monitor import Monitor
from workers.training.generator.trainer import GeneratorTrainer
from workers.training.matcher.captions import load_views

LIMIT = 2.5
"""``GeneratorConfig.limit`` of new generators: the typical value is 1; other pictures change by .001."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``gan`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/paint", 90)
    cache_argument(parser)
    parser.add_argument("--batch", type=int, default=32, help="pictures per step, a multiple of 4")
    parser.add_argument(
        "--teacher-size", type=int, default=112, help="side at which the discriminator sees pictures, px"
    )
    parser.add_argument("--channels", type=int, nargs="+", default=[512, 384, 256, 192])
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of the generator")
    parser.add_argument(
        "--discriminator-rate", type=float, default=4e-4, help="learning rate of the discriminator"
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--start-from", type=Path, help="checkpoint.pt of another run: its generator goes on")
    begin.add_argument(
        "--grow-from", type=Path, help="checkpoint.pt of a run at half the size: both its networks go on"
    )
    parser.add_argument(
        "--discriminator-first",
        type=int,
        default=200,
        help="steps that the discriminator learns alone after --start-from",
    )
    parser.add_argument(
        "--average", type=float, default=0.998, help="running average's decay per step: short for short runs"
    )
    parser.add_argument("--check-every", type=float, default=12, help="minutes between Frechet distances")


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    setup = prepare(arguments)
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    matcher = MatcherModel.load(MODEL, setup.device)
    config = GeneratorConfig(
        condition=matcher.net.config.embedding,
        channels=tuple(arguments.channels),
        soft=True,
        mapping=True,
        limit=LIMIT,
    )
    teacher = Teacher(arguments.data).to(setup.device)
    views = load_views(arguments.data, config.size + MARGIN, teacher, arguments.cache)
    if views.words != matcher.vocabulary.words:
        raise SystemExit("the matcher was trained on other words: train and export `match` again")
    batches = Batches(views, matcher, config.size, arguments.batch, setup.generator)
    trainer = GeneratorTrainer(
        config,
        matcher,
        setup.place(EfficientNetLite.load()),
        batches,
        setup,
        rates=(arguments.rate, arguments.discriminator_rate),
        teacher_size=arguments.teacher_size,
        decay=arguments.average,
        monitor=Monitor(views, batches, config, teacher),
    )
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    else:
        trainer.calibrate()
        source = arguments.grow_from or arguments.start_from
        if source:
            begun = torch.load(source, map_location=setup.device, weights_only=True)
            run.continues(int(begun["step"]), float(begun["elapsed"]))
        if arguments.grow_from:
            try:
                trainer.grow(begun["state"], run.step)
            except ValueError as error:
                raise SystemExit(f"{source}: {error}") from error
        elif arguments.start_from:
            trainer.load_generator(begun["state"])
            for number in range(arguments.discriminator_first):
                losses = trainer.update(run.step, train_generator=False)
                if number % 50 == 0:
                    run.log(losses)
    run_training(run, trainer, sheet_every=200, validate_every=arguments.check_every * 60)
