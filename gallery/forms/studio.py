"""The studio's form, built from a kind: one control for each parameter and each input picture."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.http import QueryDict
from django.utils.translation import get_language

from gallery import kinds
from gallery.kinds import Choice, InputSpec, KindSpec, ParamSpec
from gallery.models import Artwork, Upload, Visibility

FEW = 6
"""Most choices, or choices of one group, that are shown all at once."""
BRIEF = 18
"""Most characters of a choice that stands beside others in one row."""


@dataclass(slots=True)
class Control:
    """One parameter on the page: what is typed into it, and what is wrong with that.

    Numbers with ``percent`` are 0..100 on the page and 0..1 in the recipe.
    """

    spec: ParamSpec
    value: Any
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The field's name in the form."""
        return self.spec.name

    @property
    def id(self) -> str:
        """The element's id."""
        return f"id_{self.spec.name}"

    @property
    def widget(self) -> str:
        """Which template draws it."""
        spec = self.spec
        if spec.type == "text":
            return "prompt" if spec.name == "prompt" else "text"
        if spec.type == "choice":
            return "radios" if len(spec.choices) <= FEW * len(self.groups) else "select"
        if spec.type == "number" or (spec.type == "integer" and (spec.step or 1) > 1):
            return "range"
        return {"integer": "number", "boolean": "checkbox", "style": "styles", "features": "features"}[
            spec.type
        ]

    @property
    def groups(self) -> list[tuple[Any, list[Choice]]]:
        """The choices that stand together, each group with its name; the first may be without.

        The group with which people of this language begin comes first.
        """
        found = [(group, list(some)) for group, some in groupby(self.spec.choices, lambda one: one.group)]
        begun = self.spec.begun(get_language())
        return sorted(found, key=lambda one: all(choice.value != begun for choice in one[1]))

    @property
    def brief(self) -> bool:
        """Whether all choices are a word or two, so that they stand in one row."""
        return all(len(str(choice.label)) <= BRIEF for choice in self.spec.choices)

    @property
    def shown(self) -> str:
        """The value as the field holds it."""
        return (
            _page_number(self.value, self.spec)
            if self.spec.type in ("integer", "number")
            else str(self.value)
        )

    @property
    def checked(self) -> bool:
        """Whether a checkbox is on."""
        return self.value in (True, "true", "on", "1")

    @property
    def minimum(self) -> str:
        """The lowest value on the page."""
        return "" if self.spec.minimum is None else _page_number(self.spec.minimum, self.spec)

    @property
    def maximum(self) -> str:
        """The highest value on the page."""
        return "" if self.spec.maximum is None else _page_number(self.spec.maximum, self.spec)

    @property
    def step(self) -> str:
        """The step on the page."""
        return "any" if self.spec.step is None else _page_number(self.spec.step, self.spec)


@dataclass(slots=True)
class PictureControl:
    """One input picture on the page: the one that is chosen already, if any."""

    spec: InputSpec
    picture: Upload | Artwork | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file field; ``<name>_work`` and ``<name>_upload`` name a picture that is there already."""
        return f"picture_{self.spec.role}"

    @property
    def upload(self) -> Upload | None:
        """The upload that is chosen."""
        return self.picture if isinstance(self.picture, Upload) else None

    @property
    def work(self) -> Artwork | None:
        """The work that is chosen."""
        return self.picture if isinstance(self.picture, Artwork) else None


class StudioForm:
    """What a person asks for, as it is on the page: kept as typed, whatever is wrong with it."""

    def __init__(
        self,
        kind: KindSpec,
        values: Mapping[str, Any] | None = None,
        *,
        seed: str = "",
        pictures: Mapping[str, Upload | Artwork] | None = None,
        publish_as: str = Visibility.PRIVATE,
        key: str = "",
    ) -> None:
        given = values or {}
        self.kind = kind
        self.seed = seed
        self.publish_as = publish_as
        self.key = key or uuid.uuid4().hex
        self.controls = [
            Control(param, given.get(param.name, kind.default_of(param, given))) for param in kind.params
        ]
        self.pictures = [PictureControl(spec, (pictures or {}).get(spec.role)) for spec in kind.inputs]
        self.seed_errors: list[str] = []
        self.errors: list[str] = []

    @classmethod
    def from_post(cls, kind: KindSpec, post: QueryDict) -> StudioForm:
        """The form as it was sent. Pictures are put in by the view, which may read them."""
        values = {param.name: _typed(param, post) for param in kind.params}
        return cls(
            kind,
            {name: value for name, value in values.items() if value is not None},
            seed=post.get("seed", "").strip()[:40],
            publish_as=post.get("publish_as", Visibility.PRIVATE),
            key=post.get("key", "")[:64],
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The values for the kind to clean."""
        return {control.name: control.value for control in self.controls}

    @property
    def inputs(self) -> dict[str, Upload | Artwork]:
        """The chosen pictures by role."""
        return {one.spec.role: one.picture for one in self.pictures if one.picture is not None}

    @property
    def main(self) -> list[Control]:
        """Controls that are always visible, the prompt apart."""
        return [
            one
            for one in self.controls
            if not one.spec.advanced and one.widget not in ("prompt", "styles", "features")
        ]

    @property
    def advanced(self) -> list[Control]:
        """Controls in the fold."""
        return [one for one in self.controls if one.spec.advanced]

    @property
    def leading_pictures(self) -> list[PictureControl]:
        """Pictures at the top of the form."""
        return [one for one in self.pictures if one.spec.required or one.spec.leading]

    @property
    def beside_pictures(self) -> list[PictureControl]:
        """Pictures that stand open under the prompt."""
        return [one for one in self.pictures if one.spec.beside]

    @property
    def spare_pictures(self) -> list[PictureControl]:
        """Pictures that nobody has to bring: they stand in the fold."""
        shown = self.leading_pictures + self.beside_pictures
        return [one for one in self.pictures if one not in shown]

    @property
    def advanced_open(self) -> bool:
        """Whether the fold hides something that was changed or is wrong."""
        changed = any(one.errors or str(one.value) != str(one.spec.default) for one in self.advanced)
        return changed or any(one.errors or one.picture is not None for one in self.spare_pictures)

    @property
    def prompt(self) -> Control | None:
        """The prompt, for kinds that take one."""
        return next((one for one in self.controls if one.widget == "prompt"), None)

    @property
    def styles(self) -> Control | None:
        """The picker of ready styles, for kinds that have one."""
        return next((one for one in self.controls if one.widget == "styles"), None)

    @property
    def features(self) -> Control | None:
        """The sheet of features, for kinds that dream."""
        return next((one for one in self.controls if one.widget == "features"), None)

    @property
    def has_errors(self) -> bool:
        """Whether anything is wrong."""
        return bool(
            self.errors
            or self.seed_errors
            or any(control.errors for control in self.controls)
            or any(picture.errors for picture in self.pictures)
        )

    def clean_seed(self) -> int | None:
        """The seed, or None to draw one. Puts the error beside the field and gives None when it is wrong."""
        if not self.seed:
            return None
        try:
            return kinds.clean_seed(self.seed)
        except ValueError as error:
            self.seed_errors = [str(error)]
            return None

    def add_errors(self, errors: Mapping[str, list[str]]) -> None:
        """Put each message beside its field; what has no field goes to the top."""
        places: dict[str, list[str]] = {control.name: control.errors for control in self.controls}
        # A role may have the name of a parameter: the picture of a style stands below the ready styles.
        for picture in self.pictures:
            places.setdefault(picture.spec.role, picture.errors)
        places["seed"] = self.seed_errors
        # A picture that was refused is not missing, too.
        refused = {picture.spec.role for picture in self.pictures if picture.errors and not picture.picture}
        for name, texts in errors.items():
            if name not in refused:
                places.get(name, self.errors).extend(texts)


def _typed(param: ParamSpec, post: QueryDict) -> Any:
    """What was typed, in the recipe's units; None when the field was not sent."""
    if param.type == "boolean":
        return post.get(param.name, "") not in ("", "off", "false")
    text = post.get(param.name)
    if text is None or (param.type in ("integer", "number") and not text.strip()):
        return None
    if param.percent:
        try:
            return round(float(text) / 100, 6)
        except ValueError:
            return text
    return text


def _page_number(value: Any, spec: ParamSpec) -> str:
    """A number as the page shows it; what is no number stays as it was typed."""
    try:
        number = float(value) * (100 if spec.percent else 1)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:.6g}" if abs(number) < 1e6 else str(value)
