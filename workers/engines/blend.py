"""Kind ``blend``: two to four parents are mixed, one is mutated, or a loop leads from each to the next.

A work of this generator brings its latent; the latent of any other picture is found by projection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from PIL import Image, UnidentifiedImageError

from workers import device as devices
from workers import images
from workers.engines.base import Animation, InvalidRequest, JobCanceled, JobReleased, Picture, Task
from workers.engines.painting import latent_loop, projection
from workers.engines.painting.engine import PaintingEngine
from workers.engines.painting.latents import Latent, LatentUnreadable, depth_groups, mix, mutated
from workers.engines.painting.rendering import RenderItem, RenderTask, compose_all, finish_all
from workers.engines.request import Request

ROLES = ("parent_1", "parent_2", "parent_3", "parent_4")
FRAMES_PER_SECOND = 12
PARENT_LONGEST = 1024  # long side up to which the picture of a parent is opened, px
# How far later children differ from the first; set by hand.
SIBLING_SPREAD = 0.6  # deviation of the logarithm of a parent's weight
SIBLING_MUTATION = 0.12  # and the least mutation
DRIFT_WORDS = 3  # words of the random subject that strong mutations drift to
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
class BlendTask(RenderTask):
    """One task with the latents of its parents, by role, as they are found."""

    request: BlendRequest
    roles: tuple[str, ...]
    parents: dict[str, Latent] = field(default_factory=dict)
    unprojected: dict[str, torch.Tensor] = field(default_factory=dict)  # (3, S, S) of those without a latent
    distances: dict[str, float] = field(default_factory=dict)

    def advance_or_raise(self, work: int) -> None:
        """Like :meth:`advance`, but raises what ended the task."""
        if not self.advance(work) and self.error is not None:
            raise self.error


class BlendEngine(PaintingEngine[BlendTask]):
    """Children of paintings."""

    kind: ClassVar[str] = "blend"
    request: ClassVar[type[BlendRequest]] = BlendRequest

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Loops do not share a batch with children: each has the work of a hundred."""
        return "bridge" if parameters.get("mode") == "bridge" else "blend"

    def prepare(self, task: Task) -> BlendTask:
        """Read the latents of the parents. Raises InvalidRequest for a latent or picture that is damaged."""
        request = BlendRequest.from_parameters(task.parameters)
        roles = tuple(role for role in ROLES if role in task.inputs or role in task.works)
        blend = BlendTask(task, request=request, roles=roles)
        task.report.phase("composing")
        config = self.pipeline.config
        for role in roles:
            kept = ((task.works.get(role) or {}).get("details") or {}).get("latent")
            # Of this very generator, whichever upscaler finished it: a new upscaler invalidates no latent.
            if isinstance(kept, Mapping) and kept.get("painter") == self.pipeline.generator_digest:
                try:
                    blend.parents[role] = Latent.from_details(kept, config.levels, config.style)
                except LatentUnreadable as error:
                    raise InvalidRequest(
                        f"{role}: {error}",
                        visitor=f"What was kept of parent {role[-1]} to make children from cannot be read.",
                    ) from error
            else:
                blend.unprojected[role] = _picture(task, role, config.size)
        if blend.unprojected:
            # Uploads, and works of another model, have no latent here.
            task.report.note("projected", parents=[int(role[-1]) for role in blend.unprojected])
        size = int(request.size)
        made = (
            latent_loop.step_count(self.pipeline, request.frames, size)
            if request.mode == "bridge"
            else request.count * (1 + self.pipeline.cost(size))
        )
        blend.steps = len(blend.unprojected) * projection.STEP_COUNT + made
        return blend

    def render(self, render_tasks: Sequence[BlendTask]) -> None:
        """Project the parents that need it, then make the children, then the loops."""
        for blend in render_tasks:
            self._project(blend)
        items = [item for blend in render_tasks if blend.open for item in self._children(blend)]
        compose_all(self.pipeline, items, _composed)
        finish_all(self.pipeline, items, self._finished)
        for blend in render_tasks:
            if blend.open and blend.request.mode == "bridge":
                self._loop(blend)

    def _project(self, blend: BlendTask) -> None:
        report = blend.task.report

        def step(work: int, picture: torch.Tensor | None) -> None:
            if picture is not None:
                report.preview(images.to_image(picture))
            blend.advance_or_raise(work)

        for role, picture in blend.unprojected.items():
            report.phase("projecting")
            stream = blend.task.seed, PROJECTION_STREAM + int(role[-1])
            try:
                found = projection.project(self.pipeline, picture, stream, step)
            except (JobCanceled, JobReleased):
                return
            blend.parents[role] = found.latent
            blend.distances[role] = round(found.distance, 4)
        blend.unprojected.clear()
        if blend.distances:
            report.phase("composing")

    def _children(self, blend: BlendTask) -> list[RenderItem[BlendTask]]:
        """The first child is as asked for; the weights of the others, and so their mutation, vary."""
        request, seed = blend.request, blend.task.seed
        if request.mode == "bridge":
            return []
        parents = [blend.parents[role] for role in blend.roles]
        children = []
        for index in range(request.count):
            strength = request.mutation
            weights = torch.tensor(request.shares(blend.roles), dtype=torch.float64)
            if request.mode == "mix" and index:
                spread = torch.randn(4, generator=devices.generator(seed, WEIGHT_STREAM + index))
                weights = weights * (SIBLING_SPREAD * spread[: len(weights)].double()).exp()
                weights = weights / weights.sum()
                strength = max(strength, SIBLING_MUTATION)
            shares = weights.expand(self.pipeline.config.levels, -1).clone()
            for level, place in self._locked(blend).items():
                shares[level] = 0
                shares[level, place] = 1
            child = mix(parents, shares, self.pipeline.config.latent)
            child = self._mutate(child, strength, seed, index)
            details = _details(blend, index, shares) | {"mutation": strength}
            children.append(RenderItem(blend, index, child, int(request.size), details=details))
        return children

    def _locked(self, blend: BlendTask) -> dict[int, int]:
        """Level -> the place of the parent that gives it alone."""
        groups = depth_groups(self.pipeline.config.levels)
        depths = blend.request.depths(blend.roles)
        return {level: place for depth, place in depths.items() for level in groups[depth]}

    def _mutate(self, child: Latent, strength: float, seed: int, index: int) -> Latent:
        if strength <= 0:
            return child
        matcher = self.pipeline.matcher
        stream = devices.generator(seed, WORD_STREAM + index)
        numbers = torch.randperm(len(matcher.vocabulary), generator=stream)[:DRIFT_WORDS].tolist()
        words = [matcher.vocabulary.words[number] for number in numbers]
        other_subject = self.pipeline.subjects(matcher.conditions([words]))[0].cpu()
        source = (seed, MUTATION_STREAM + index)
        return mutated(child, strength, self.pipeline.draw(*source), other_subject, source)

    def _finished(self, item: RenderItem[BlendTask], image: Image.Image) -> None:
        kept = item.latent.to_details(self.pipeline.generator_digest)
        item.render_task.outputs.append(Picture(image, item.details | {"latent": kept}))

    def _loop(self, blend: BlendTask) -> None:
        request, report = blend.request, blend.task.report
        report.phase("painting")

        def step(work: int, frame: Image.Image | None) -> None:
            if frame is not None:
                report.preview(frame)
            blend.advance_or_raise(work)

        parents = [blend.parents[role] for role in blend.roles]
        try:
            frames, latents = latent_loop.render_loop(
                self.pipeline, parents, self._locked(blend), request.frames, int(request.size), step
            )
        except (JobCanceled, JobReleased):
            return
        levels = self.pipeline.config.levels
        shares = torch.full((levels, len(parents)), 1 / len(parents), dtype=torch.float64)
        kept = latents[0].to_details(self.pipeline.generator_digest)
        details = _details(blend, 0, shares) | {"frames": len(frames), "latent": kept}
        blend.outputs.append(Animation(tuple(frames), len(frames) / FRAMES_PER_SECOND, details))


def _composed(item: RenderItem[BlendTask], picture: torch.Tensor) -> None:
    item.composed = picture
    item.render_task.task.report.preview(images.to_image(picture), item.index)


def _details(blend: BlendTask, index: int, shares: torch.Tensor) -> dict[str, Any]:
    """What is kept with a child; the weight of a parent is its mean share over the levels."""
    request = blend.request
    details: dict[str, Any] = {
        "mode": request.mode,
        "weights": {
            role: round(float(share), 4) for role, share in zip(blend.roles, shares.mean(0), strict=True)
        },
        "seed": blend.task.seed,
        "index": index,
        "width": int(request.size),
        "height": int(request.size),
    }
    if depths := request.depths(blend.roles):
        details["depths"] = {depth: blend.roles[place] for depth, place in depths.items()}
    if blend.distances:
        details["projected"] = dict(blend.distances)
    return details


def _picture(task: Task, role: str, side: int) -> torch.Tensor:
    """The picture of a parent, (3, side, side). Raises InvalidRequest."""
    path = task.input(role)
    try:
        image = images.open_rgb(path, PARENT_LONGEST)
        if min(image.size) < projection.LEAST_SIDE:
            # A long strip: only made small it would be too narrow.
            image = images.open_rgb(path)
        return projection.centre_square(image, side)
    except projection.TooSmall as error:
        raise InvalidRequest(
            f"{role}: {error}",
            visitor=f"Parent {role[-1]} is too small: {projection.LEAST_SIDE} px are needed each way.",
        ) from error
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InvalidRequest(
            f"{role}: {error}", visitor=f"The picture of parent {role[-1]} cannot be read."
        ) from error
