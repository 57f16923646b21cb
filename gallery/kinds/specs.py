"""What a kind consists of: parameters, input pictures, rules, and how they refuse what is not allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.kinds.cleaning import clean_boolean, clean_number, clean_text
from gallery.kinds.features import clean_features
from gallery.kinds.styles import styles

Text = str | Promise
ParamType = Literal["text", "integer", "number", "boolean", "choice", "style", "features"]
Errors = Mapping[str, list[str]]
"""Name of a parameter or role -> sentences for the visitor."""


Condition = tuple[str, tuple[str, ...]]
"""(name of a choice, its values): what belongs to it is only for them."""


class InvalidRecipe(Exception):
    """What was asked for cannot be made. ``errors``: field -> messages for the visitor."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items()))
        self.errors = dict(errors)


class UnknownKind(InvalidRecipe):
    """There is no such kind."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value and its label. ``note`` is said below it; choices of one ``group`` stand together."""

    value: str
    label: Text
    note: Text = ""
    group: Text = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """What is said below a field while a choice has certain values, and the example that stands in it."""

    text: Text
    only_with: Condition
    placeholder: Text = ""


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: its type, limits, default, and how the page shows it.

    ``minimum``/``maximum`` bound numbers, and the length of text. ``percent`` shows a number in
    [0, 1] as 0..100 %. ``advanced`` puts it into the fold. ``only_with``: with other values of that choice
    it must keep its default. ``begins``: language -> the value that the page begins with, where people of
    that language want another one than programs. ``tidy`` is what happens to a text before it is looked at.
    """

    name: str
    type: ParamType
    label: Text
    default: Any
    help: Text = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Choice, ...] = ()
    advanced: bool = False
    percent: bool = False
    multiline: bool = False
    placeholder: Text = ""
    only_with: Condition | None = None
    hints: tuple[Hint, ...] = ()
    begins: Mapping[str, Any] = field(default_factory=dict)
    tidy: Callable[[str], str] | None = None

    def applies(self, chosen: Mapping[str, Any]) -> bool:
        """Whether it means anything beside the values that were ``chosen``."""
        if self.only_with is None:
            return True
        name, values = self.only_with
        return name not in chosen or chosen[name] in values

    def label_of(self, value: Any) -> Text:
        """What a value of a choice is called; a value that it lacks stays as it is."""
        return next((choice.label for choice in self.choices if choice.value == value), str(value))

    def begun(self, language: str | None) -> Any:
        """The value that the page begins with for people of ``language``, None for the default."""
        return self.begins.get((language or "").partition("-")[0])

    def clean(self, value: Any) -> Any:
        """The value as its proper JSON type. Raises ValueError with a sentence for the visitor."""
        if self.type == "text":
            return self._clean_text(value)
        if self.type == "boolean":
            return clean_boolean(value)
        if self.type == "style":
            return self._clean_style(value)
        if self.type == "features":
            return clean_features(value)
        if self.type == "choice":
            if not isinstance(value, str) or value not in {choice.value for choice in self.choices}:
                allowed = ", ".join(choice.value for choice in self.choices)
                raise ValueError(_("Choose one of: %(allowed)s.") % {"allowed": allowed})
            return value
        return clean_number(value, whole=self.type == "integer", minimum=self.minimum, maximum=self.maximum)

    def _clean_text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(_("This must be text."))
        text = clean_text(self.tidy(value) if self.tidy else value, multiline=self.multiline)
        limit = int(self.maximum or 500)
        if len(text) > limit:
            raise ValueError(
                _("At most %(limit)d characters; this has %(length)d.")
                % {"limit": limit, "length": len(text)}
            )
        if len(text) < (self.minimum or 0):
            raise ValueError(_("This field is required."))
        return text

    def _clean_style(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(_("This must be text."))
        if value and value not in {style.slug for style in styles()}:
            raise ValueError(_("There is no ready style of that name."))
        return value


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A picture that the kind takes: an upload, or a work that the person may see.

    ``leading``: it stands at the top of the form although nobody has to bring it. ``relation``: what the
    lineage calls it; without one it is called by its role. ``beside``: it stands open under the prompt.
    """

    role: str
    label: Text
    required: bool
    help: Text = ""
    leading: bool = False
    relation: str = ""
    beside: bool = False


@dataclass(frozen=True, slots=True)
class PageParts:
    """What a page shows for one kind besides what all kinds have.

    ``template`` is a partial; ``styles`` and ``scripts`` are paths of static files.
    """

    template: str = ""
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What decides whether something can be made from a picture. Sizes in px."""

    id: str
    width: int
    height: int
    is_animation: bool


@dataclass(frozen=True, slots=True)
class Use:
    """A link from a picture to the form of a kind: its label, and the query that fills the form.

    Links with ``last`` stand behind those of all other kinds.
    """

    label: Text
    query: Mapping[str, str]
    last: bool = False


Parameters = Mapping[str, Any]
Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parameters of one kind that were cleaned for pictures in these roles: :meth:`KindSpec.recipe`."""

    spec: KindSpec
    parameters: dict[str, Any]
    roles: frozenset[str]


Check = Callable[[Parameters, frozenset[str]], Errors]
"""(cleaned parameters, roles that were brought) -> what is wrong between fields."""
SizeCheck = Callable[[Parameters, Mapping[str, tuple[int, int]]], Errors]
"""(cleaned parameters, role -> (width, height) in px) -> what is wrong with pictures of this size."""


@dataclass(frozen=True, slots=True)
class KindSpec:
    """One kind. ``queue`` is the Celery queue of its model family (gan, cnn, rnn).

    ``makes`` is ``picture`` (a loop of pictures too) or ``poem``. ``batch_by`` names the parameters that
    must be equal for two jobs to run as one batch; ``batch_limit`` is the most jobs in it. ``check`` holds
    the rules between fields, ``check_sizes`` those that depend on the pictures. ``defaults`` are other
    defaults while a choice has a value: ``{("mode", "mutate"): {"mutation": 0.4}}``. ``seeded``: whether
    chance has a part in it, so that another seed gives another work.

    How works and jobs of the kind are shown: ``medium`` stands where a museum label says "oil on canvas".
    ``title_of`` makes a title of parameters when there is no prompt ("" for none), ``unnamed`` is what a work
    without title and words is called. ``unused`` names the parameters that say nothing beside the others and
    the roles that were brought. ``uses`` are the links that lead from a picture to this kind; without it
    there is one that fills the first role. ``errors`` and ``notes`` hold sentences for codes that only its
    engine has. ``form_page``, ``job_page`` and ``work_page`` are its parts of those pages, ``next_template``
    its links below a finished picture. ``form_class`` is the dotted path of a view on the form, a subclass of
    :class:`gallery.forms.input_places.PlacesForm`. ``compare_with`` is the role of the picture beside which a
    work is shown; ``on_job_page`` says that the form stands beside a job's results, too. ``reads_pictures``:
    it makes an analysis of a picture instead of a picture. ``latent``: its pictures are points of the
    generator's latent space, so that their neighbours are a step away.
    """

    slug: str
    queue: str
    label: Text
    verb: Text
    summary: Text
    makes: Literal["picture", "poem"]
    params: tuple[ParamSpec, ...]
    inputs: tuple[InputSpec, ...] = ()
    batch_by: tuple[str, ...] = ()
    batch_limit: int = 8
    examples: tuple[str, ...] = ()
    check: Check | None = None
    check_sizes: SizeCheck | None = None
    defaults: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    seeded: bool = True
    medium: Text = ""
    title_of: Callable[[Parameters], str] | None = None
    unnamed: Callable[[Parameters], Text] | None = None
    unused: Callable[[Parameters, Collection[str]], frozenset[str]] | None = None
    uses: Callable[[PictureFacts], Iterable[Use]] | None = None
    errors: Mapping[str, Text] = field(default_factory=dict)
    notes: Mapping[str, Callable[[Note], str]] = field(default_factory=dict)
    form_page: PageParts = PageParts()
    job_page: PageParts = PageParts()
    work_page: PageParts = PageParts()
    next_template: str = ""
    form_class: str = ""
    compare_with: str = ""
    on_job_page: bool = False
    reads_pictures: bool = False
    latent: bool = False

    def param(self, name: str) -> ParamSpec | None:
        """The parameter ``name``, or None."""
        return next((param for param in self.params if param.name == name), None)

    def default_of(self, param: ParamSpec, chosen: Mapping[str, Any]) -> Any:
        """The default of ``param`` beside the values that were ``chosen`` before it."""
        for (name, value), defaults in self.defaults.items():
            if chosen.get(name) == value and param.name in defaults:
                return defaults[param.name]
        return param.default

    def complete(self, parameters: Parameters) -> dict[str, Any]:
        """``parameters`` of a recipe of whatever version: with defaults for what it lacks, without what
        this version does not know. Values are not cleaned again."""
        complete: dict[str, Any] = {}
        for param in self.params:
            given = parameters.get(param.name)
            complete[param.name] = self.default_of(param, complete) if given is None else given
        return complete

    def uses_of(self, picture: PictureFacts) -> tuple[Use, ...]:
        """The links from ``picture`` to this kind; none when it takes no picture."""
        if not self.inputs:
            return ()
        if self.uses is not None:
            return tuple(self.uses(picture))
        return (Use(_("%(kind)s this") % {"kind": self.label}, {self.inputs[0].role: picture.id}),)

    @property
    def main_params(self) -> tuple[ParamSpec, ...]:
        """Parameters that are always visible."""
        return tuple(param for param in self.params if not param.advanced)

    @property
    def advanced_params(self) -> tuple[ParamSpec, ...]:
        """Parameters in the fold."""
        return tuple(param for param in self.params if param.advanced)

    def clean(self, raw: Mapping[str, Any], roles: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Validated parameters, defaults filled in. ``roles``: the input pictures that were brought.

        Raises InvalidRecipe naming every field that is wrong, unknown names included.
        """
        errors: dict[str, list[str]] = {}
        cleaned: dict[str, Any] = {}
        for name in raw:
            if self.param(name) is None:
                errors[name[:64]] = [str(_("There is no such setting."))]
        for param in self.params:
            if param.name not in raw or raw[param.name] is None:
                cleaned[param.name] = self.default_of(param, cleaned)
                continue
            try:
                cleaned[param.name] = param.clean(raw[param.name])
            except ValueError as error:
                errors[param.name] = [str(error)]
        for spec in self.inputs:
            if spec.required and spec.role not in roles:
                errors[spec.role] = [str(_("Bring a picture."))]
        for role in roles - {spec.role for spec in self.inputs}:
            errors[role] = [str(_("This kind takes no such picture."))]
        if not errors:
            errors.update(self._misplaced(cleaned))
        if not errors and self.check is not None:
            errors.update(self.check(cleaned, roles))
        if errors:
            raise InvalidRecipe(errors)
        return cleaned

    def recipe(self, raw: Parameters, roles: frozenset[str] = frozenset()) -> Recipe:
        """The cleaned parameters as something that can be submitted. Raises what :meth:`clean` raises."""
        return Recipe(self, self.clean(raw, roles), roles)

    def _misplaced(self, cleaned: Mapping[str, Any]) -> Errors:
        """Settings that do not go with a choice and yet were changed."""
        errors: dict[str, list[str]] = {}
        for param in self.params:
            if param.applies(cleaned) or cleaned[param.name] == self.default_of(param, cleaned):
                continue
            name = param.only_with[0] if param.only_with else ""
            choice = self.param(name)
            label = choice.label_of(cleaned[name]) if choice else name
            errors[param.name] = [str(_("This does not go with “%(choice)s”.") % {"choice": label})]
        return errors

    def clean_sizes(self, parameters: Mapping[str, Any], sizes: Mapping[str, tuple[int, int]]) -> None:
        """Whether pictures of these ``sizes`` (role -> width, height) can be taken. Raises InvalidRecipe."""
        errors = self.check_sizes(parameters, sizes) if self.check_sizes is not None else {}
        if errors:
            raise InvalidRecipe(errors)

    def batch_key(self, parameters: Mapping[str, Any]) -> str:
        """Waiting jobs with equal keys may run as one batch."""
        return ":".join([self.slug, *(str(parameters.get(name)) for name in self.batch_by)])
