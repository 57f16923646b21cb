"""Kind ``blend``: paintings have children. Mix two to four, mutate one, or walk from each to the next.

Pictures of this painter bring their latents; any other picture is looked for first (projection).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from PIL import Image, UnidentifiedImageError

from workers import device as devices
from workers import images
from workers.engines.base import (
    Animation,
    InvalidRequest,
    JobCanceled,
    JobReleased,
    Picture,
    Result,
    Task,
    TooLarge,
)
from workers.engines.painting import latent_loop, projection
from workers.engines.painting.latents import Latent, LatentUnreadable, depth_groups, mix, mutated
from workers.engines.painting.pipeline import PaintingPipeline, open_pipeline
from workers.engines.painting.rendering import RenderItem, RenderTask, compose_all, finish_all
from workers.engines.request import Request

ROLES = ("parent_1", "parent_2", "parent_3", "parent_4")
FRAMES_PER_SECOND = 12
SIBLINGS = 0.6  # how far the weights of later children stray from those asked for (of their logarithms)
SIBLING_MUTATION = 0.12  # and how far chance carries them at least
STRAY_WORDS = 3  # of a subject that strong mutations drift to
# Added to indices, so that each purpose has random numbers of its own.
MUTATION_STREAM, WEIGHT_STREAM, WORD_STREAM, PROJECTION_STREAM = 1000, 2000, 3000, 4000


@dataclass(frozen=True, slots=True)
class BlendRequest(Request):
    """The parameters of ``blend``; ``size`` is the side in px.

    ``layout_from`` and its like are ``mix``, or the number of the parent that gives this depth alone.
    """

    mode: str
    weight_1: float
    weight_2: float
    weight_3: float
    weight_4: float
    count: int
    mutation: float
    size: str
    frames: int
    layout_from: str
    shapes_from: str
    colour_from: str

    def shares(self, roles: Sequence[str]) -> tuple[float, ...]:
        """The weights of the parents in ``roles`` as shares of one; a mutation has one parent."""
        if self.mode == "mutate":
            return (1.0,)
        weights = [float(getattr(self, f"weight_{role[-1]}")) for role in roles]
        return tuple(weight / sum(weights) for weight in weights)

    def depths(self, roles: Sequence[str]) -> dict[str, int]:
        """Depth -> the place in ``roles`` of the parent that gives it alone."""
        chosen = {depth: str(getattr(self, f"{depth}_from")) for depth in ("layout", "shapes", "colour")}
        return {depth: roles.index(f"parent_{number}") for depth, number in chosen.items() if number != "mix"}


@dataclass(slots=True, eq=False, kw_only=True)
class _Wish(RenderTask):
    """One task with the latents of its parents, as they are found."""

    request: BlendRequest
    roles: tuple[str, ...]
    parents: dict[str, Latent] = field(default_factory=dict)
    pictures: dict[str, torch.Tensor] = field(default_factory=dict)  # of those that are to be looked for
    distances: dict[str, float] = field(default_factory=dict)

    def tick(self, work: int) -> None:
        """Like :meth:`advance`, but raises what ended the task."""
        if not self.advance(work) and self.error is not None:
            raise self.error


class BlendEngine:
    """Children of paintings."""

    kind: ClassVar[str] = "blend"
    request: ClassVar[type[BlendRequest]] = BlendRequest
    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the painter and its helpers. Raises :class:`workers.weights.WeightsError`."""
        self.pipeline: PaintingPipeline = open_pipeline()
        self.device = self.pipeline.device
        self.model_name = self.pipeline.name
        self.model_digest = self.pipeline.digest

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Bridges keep to themselves: each has the work of a hundred children."""
        return "bridge" if parameters.get("mode") == "bridge" else "blend"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        wishes: list[_Wish | Result] = []
        for task in tasks:
            try:
                wishes.append(self._understand(task))
            except (InvalidRequest, JobCanceled, JobReleased) as reason:
                wishes.append(Result(error=reason))
        asked = [wish for wish in wishes if isinstance(wish, _Wish)]
        try:
            for wish in asked:
                self._project(wish)
            items = [item for wish in asked if wish.open for item in self._children(wish)]
            compose_all(self.pipeline, items, _composed)
            finish_all(self.pipeline, items, self._finished)
            for wish in asked:
                if wish.open and wish.request.mode == "bridge":
                    self._bridge(wish)
        except torch.OutOfMemoryError as error:
            if len(tasks) > 1:
                raise
            return [Result(error=TooLarge(str(error)))]
        return [wish if isinstance(wish, Result) else wish.result() for wish in wishes]

    def _understand(self, task: Task) -> _Wish:
        request = BlendRequest.from_parameters(task.parameters)
        roles = tuple(role for role in ROLES if role in task.inputs or role in task.works)
        wish = _Wish(task, request=request, roles=roles)
        task.report.phase("composing")
        config = self.pipeline.config
        for role in wish.roles:
            kept = ((task.works.get(role) or {}).get("details") or {}).get("latent")
            # Of this very painter, whoever enlarged the picture: a new upscaler orphans nobody.
            if isinstance(kept, Mapping) and kept.get("painter") == self.pipeline.generator_digest:
                try:
                    wish.parents[role] = Latent.from_details(kept, config.levels, config.style)
                except LatentUnreadable as error:
                    raise InvalidRequest(
                        f"{role}: {error}",
                        visitor=f"What was kept of parent {role[-1]} to make children from cannot be read.",
                    ) from error
            else:
                wish.pictures[role] = _picture(task, role, config.size)
        if wish.pictures:
            # Uploads, and works of another model, have no latent here: the painter looks for a likeness.
            task.report.note("projected", parents=[int(role[-1]) for role in wish.pictures])
        size = int(request.size)
        made = (
            latent_loop.work(self.pipeline, request.frames, size)
            if request.mode == "bridge"
            else request.count * (1 + self.pipeline.cost(size))
        )
        wish.steps = len(wish.pictures) * projection.work(self.pipeline) + made
        return wish

    def _project(self, wish: _Wish) -> None:
        report = wish.task.report

        def step(work: int, picture: torch.Tensor | None) -> None:
            if picture is not None:
                report.preview(images.to_image(picture))
            wish.tick(work)

        for role, picture in wish.pictures.items():
            report.phase("projecting")
            stream = wish.task.seed, PROJECTION_STREAM + int(role[-1])
            try:
                found = projection.project(self.pipeline, picture, stream, step)
            except (JobCanceled, JobReleased):
                return
            wish.parents[role] = found.latent
            wish.distances[role] = round(found.distance, 4)
        wish.pictures.clear()
        if wish.distances:
            report.phase("composing")

    def _children(self, wish: _Wish) -> list[RenderItem]:
        request = wish.request
        if request.mode == "bridge":
            return []
        parents = [wish.parents[role] for role in wish.roles]
        children = []
        for index in range(request.count):
            strength = request.mutation
            weights = torch.tensor(request.shares(wish.roles), dtype=torch.float64)
            if request.mode == "mix" and index:
                chance = torch.randn(4, generator=devices.generator(wish.task.seed, WEIGHT_STREAM + index))
                weights = weights * (SIBLINGS * chance[: len(weights)].double()).exp()
                weights = weights / weights.sum()
                strength = max(strength, SIBLING_MUTATION)
            shares = weights.expand(self.pipeline.config.levels, -1).clone()
            for level, place in self._locked(wish).items():
                shares[level] = 0
                shares[level, place] = 1
            child = mix(parents, shares, self.pipeline.config.latent)
            child = self._mutate(child, strength, wish.task.seed, index)
            details = _details(wish, index, shares) | {"mutation": strength}
            children.append(RenderItem(wish, index, child, int(request.size), details=details))
        return children

    def _locked(self, wish: _Wish) -> dict[int, int]:
        """Level -> the place of the parent that gives it alone."""
        groups = depth_groups(self.pipeline.config.levels)
        depths = wish.request.depths(wish.roles)
        return {level: place for depth, place in depths.items() for level in groups[depth]}

    def _mutate(self, child: Latent, strength: float, seed: int, index: int) -> Latent:
        if strength <= 0:
            return child
        matcher = self.pipeline.matcher
        chance = devices.generator(seed, WORD_STREAM + index)
        picks = torch.randperm(len(matcher.vocabulary), generator=chance)[:STRAY_WORDS].tolist()
        words = [matcher.vocabulary.words[pick] for pick in picks]
        elsewhere = self.pipeline.subjects(matcher.conditions([words]))[0].cpu()
        source = (seed, MUTATION_STREAM + index)
        return mutated(child, strength, self.pipeline.draw(*source), elsewhere, source)

    def _finished(self, item: RenderItem, image: Image.Image) -> None:
        kept = item.latent.to_details(self.pipeline.generator_digest)
        item.render_task.outputs.append(Picture(image, item.details | {"latent": kept}))

    def _bridge(self, wish: _Wish) -> None:
        report = wish.task.report
        report.phase("painting")

        def step(work: int, frame: Image.Image | None) -> None:
            if frame is not None:
                report.preview(frame)
            wish.tick(work)

        parents = [wish.parents[role] for role in wish.roles]
        try:
            frames, latents = latent_loop.walk(
                self.pipeline, parents, self._locked(wish), wish.request.frames, int(wish.request.size), step
            )
        except (JobCanceled, JobReleased):
            return
        shares = torch.full(
            (self.pipeline.config.levels, len(parents)), 1 / len(parents), dtype=torch.float64
        )
        kept = latents[0].to_details(self.pipeline.generator_digest)
        details = _details(wish, 0, shares) | {"frames": len(frames), "latent": kept}
        wish.outputs.append(Animation(tuple(frames), len(frames) / FRAMES_PER_SECOND, details))


def _composed(item: RenderItem, picture: torch.Tensor) -> None:
    item.composed = picture
    item.render_task.task.report.preview(images.to_image(picture), item.index)


def _details(wish: _Wish, index: int, shares: torch.Tensor) -> dict[str, Any]:
    """What is kept with a child; the weight of a parent is its mean share over the levels."""
    request = wish.request
    details: dict[str, Any] = {
        "mode": request.mode,
        "weights": {
            role: round(float(share), 4) for role, share in zip(wish.roles, shares.mean(0), strict=True)
        },
        "seed": wish.task.seed,
        "index": index,
        "width": int(request.size),
        "height": int(request.size),
    }
    if depths := request.depths(wish.roles):
        details["depths"] = {depth: wish.roles[place] for depth, place in depths.items()}
    if wish.distances:
        details["projected"] = dict(wish.distances)
    return details


def _picture(task: Task, role: str, side: int) -> torch.Tensor:
    """The picture of a parent, (3, side, side). Raises InvalidRequest."""
    path = task.input(role)
    try:
        return projection.square(images.open_rgb(path, 1024), side)
    except projection.TooSmall as error:
        raise InvalidRequest(
            f"{role}: {error}",
            visitor=f"Parent {role[-1]} is too small: {projection.LEAST_SIDE} px are needed each way.",
        ) from error
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InvalidRequest(
            f"{role}: {error}", visitor=f"The picture of parent {role[-1]} cannot be read."
        ) from error
