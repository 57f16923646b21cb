"""``python -m workers.training upscaler``: train the network that doubles paintings.

Half of each batch are pairs: a painting of 256 px and the same made small, soft and a little dirty,
with pixel, teacher-feature and adversarial losses. The other half, once ``--painter`` names a
generator's checkpoint, are the generator's own pictures, which have no large original: there the
discriminator judges the texture, and the result made small again must remain the picture it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from workers import device as devices
from workers.images import contact_sheet, to_images
from workers.nets.painter import Painter, PainterConfig, draw_many, without_frame
from workers.nets.upscaler import FACTOR, Upscaler, UpscalerConfig, softened
from workers.training.data import is_validation, load_squares, paintings
from workers.training.projected import ProjectedDiscriminator
from workers.training.run import TrainingRun, seed_everything
from workers.training.teacher import Teacher

LARGE = 256
ADVERSARY = 0.1
CROP = 96
"""Side of the judged crops, px; the network sees half of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``upscaler`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/paint-upscaler"), help="run folder")
    parser.add_argument(
        "--painter", type=Path, help="checkpoint.pt of a generator whose pictures to learn on"
    )
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=16, help="crops per step, a multiple of 4")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--pictures", type=int, default=2600, help="how many paintings to hold in memory")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=1)


def crops(pictures: torch.Tensor, count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """``count`` random crops (count, 3, side, side) of (N, 3, S, S), half of them mirrored."""
    room = pictures.shape[-1] - side
    chosen = torch.randint(len(pictures), (count,), generator=generator).tolist()
    corners = torch.randint(room + 1, (count, 2), generator=generator).tolist()
    cut = [pictures[k, :, a : a + side, b : b + side] for k, (a, b) in zip(chosen, corners, strict=True)]
    flips = torch.rand(count, generator=generator) < 0.5
    return torch.stack([c.flip(2) if flip else c for c, flip in zip(cut, flips.tolist(), strict=True)])


def degrade(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(N, 3, S, S) -> (N, 3, S/2, S/2): halved through a random smaller size, with a little noise.

    What a generator draws at its finest scale is not to be trusted, so the network learns to paint
    from about a quarter of the size.
    """
    half = images.shape[-1] // FACTOR
    softer = max(8, round(half * (0.45 + 0.3 * float(torch.rand((), generator=generator)))))
    x = F.interpolate(images, size=(softer, softer), mode="bilinear", antialias=True, align_corners=False)
    x = F.interpolate(x, size=(half, half), mode="bicubic", align_corners=False)
    strength = 0.05 * torch.rand(len(x), 1, 1, 1, generator=generator)
    return x + strength * torch.randn(x.shape, generator=generator)


def halved(images: torch.Tensor) -> torch.Tensor:
    """Made half as large by averaging."""
    return F.avg_pool2d(images, FACTOR)


def load_large(data: Path, limit: int) -> torch.Tensor:
    """Training paintings of 256 px: uint8 (N, 3, 256, 256), landscapes first."""
    rows = [r for r in paintings(data) if "large" in r.shard and not is_validation(r.file)]
    rows.sort(key=lambda r: (r.genre not in ("landscape", "cityscape"), r.file))
    squares = load_squares(data, [(r.shard, r.file) for r in rows[:limit]], LARGE)
    return torch.from_numpy(squares).permute(0, 3, 1, 2)


class Generated:
    """A pool of a generator's pictures, renewed a little at every step."""

    def __init__(self, checkpoint: Path, count: int = 256) -> None:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state"]
        config = PainterConfig.from_card(state["config"])
        self.painter = Painter(config).eval().requires_grad_(False)
        self.painter.load_state_dict(state["average"])
        self.captions = state["captions"]
        self.pool = torch.cat([self._make(16) for _ in range(count // 16)])

    @torch.no_grad()
    def _make(self, count: int) -> torch.Tensor:
        condition = self.captions[torch.randint(len(self.captions), (count,))]
        return softened(without_frame(self.painter(condition, draw_many(self.painter.config, count))))

    def renew(self, count: int = 4) -> None:
        self.pool[torch.randint(len(self.pool), (count,))] = self._make(count)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    generator = seed_everything(arguments.seed)
    teacher = Teacher(arguments.data).to(device)
    large = load_large(arguments.data, arguments.pictures)
    generated = Generated(arguments.painter) if arguments.painter else None
    net = Upscaler(UpscalerConfig()).to(device)
    judge = ProjectedDiscriminator(teacher, 1).to(device)
    of_net = torch.optim.Adam(net.parameters(), arguments.rate, (0.5, 0.99))
    of_judge = torch.optim.Adam(judge.heads.parameters(), arguments.rate, (0.0, 0.99))
    parts: dict[str, Any] = {"net": net, "judge": judge, "of_net": of_net, "of_judge": of_judge}
    state = run.restore(device) if arguments.resume else None
    for name, part in parts.items():
        if state is not None:
            part.load_state_dict(state[name])

    def current() -> dict[str, Any]:
        return {name: part.state_dict() for name, part in parts.items()} | {"config": net.config.to_card()}

    def real(count: int) -> torch.Tensor:
        return crops(large, count, CROP, generator).float().div_(127.5).sub_(1).to(device)

    def features(images: torch.Tensor) -> list[torch.Tensor]:
        return judge.features(images.contiguous(memory_format=torch.channels_last), images)

    if state is None:
        judge.calibrate(real(arguments.batch))
    nothing = torch.zeros(arguments.batch, 1, device=device)
    pairs = arguments.batch // 2 if generated else arguments.batch
    while run.running():
        # The adversary comes in when the network no longer blurs.
        adversary = ADVERSARY * min(1.0, max(0.0, (run.step - 100) / 200))
        target = real(pairs)
        source = degrade(target, generator)
        if generated:
            generated.renew()
            own = crops(generated.pool, arguments.batch - pairs, CROP // FACTOR, generator).to(device)
            source = torch.cat([source, own])
        noise = torch.randn(len(source), 1, *source.shape[-2:], generator=generator).to(device)
        made = net(source, noise)
        made_features = features(made)
        with torch.no_grad():
            pair_features = features(target)
            others = features(real(arguments.batch - pairs)) if generated else None
        real_features = [
            torch.cat([a, b])
            for a, b in zip(pair_features, others or [x[:0] for x in pair_features], strict=True)
        ]
        judge.heads.requires_grad_(True)
        (right,) = judge(real_features, [nothing])
        (false,) = judge([x.detach() for x in made_features], [nothing])
        loss_judge = F.relu(1 - right).mean() + F.relu(1 + false).mean()
        of_judge.zero_grad(set_to_none=True)
        loss_judge.backward()  # type: ignore[no-untyped-call]
        of_judge.step()
        judge.heads.requires_grad_(False)
        (score,) = judge(made_features, [nothing])
        pixels = (made[:pairs] - target).abs().mean()
        perceptual = pixels.new_zeros(())
        for a, b in zip(made_features[:3], pair_features[:3], strict=True):
            perceptual = perceptual + (a[:pairs] - b).abs().mean()
        kept = (halved(made[pairs:]) - source[pairs:]).abs().mean() if generated else pixels.new_zeros(())
        loss = pixels + 0.1 * perceptual + kept - adversary * score.mean()
        of_net.zero_grad(set_to_none=True)
        loss.backward()
        of_net.step()
        run.step += 1
        if run.step % 50 == 0:
            run.log(
                judge=float(loss_judge.detach()),
                pixels=float(pixels.detach()),
                perceptual=float(perceptual.detach()),
                kept=float(kept.detach()),
                right=float(right.detach().mean()),
                false=float(false.detach().mean()),
            )
        if run.step % 100 == 0:
            with torch.no_grad():
                before = F.interpolate(source[-8:], scale_factor=FACTOR, mode="bicubic")
            contact_sheet(to_images(torch.cat([before, made[-8:].detach(), real(8)])), 8).save(
                arguments.out / "sheet.jpg", quality=92
            )
        if run.due():
            run.save(current())
    run.save(current())
