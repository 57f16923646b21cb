"""The studio: one page per kind, built from its parameters."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from gallery import kinds
from gallery.forms.artworks import visibility_options
from gallery.forms.input_places import PlacesForm
from gallery.forms.studio import StudioForm
from gallery.kinds import InvalidRecipe, KindSpec, Recipe
from gallery.models import Artwork, Job, Upload, User
from gallery.selectors import artworks, jobs, queue, recipes
from gallery.services import images, storage, submissions, uploads
from gallery.services.storage import CannotSave
from gallery.views import kept_forms
from gallery.views.access import person_of, signed_in


@require_safe
@signed_in
def studio(request: HttpRequest) -> HttpResponse:
    """Redirect to the form of the first kind, or of the recipe to make again."""
    repeat = recipes.recipe_to_repeat(request.user, request.GET.get("again", ""))
    kind = repeat.kind if repeat and repeat.kind in kinds.KINDS else next(iter(kinds.KINDS))
    query = request.GET.urlencode()
    return redirect(reverse("studio_kind", args=[kind]) + (f"?{query}" if query else ""))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def studio_kind(request: HttpRequest, kind: str) -> HttpResponse:
    """One kind's form; sent, it becomes a job."""
    spec = kinds.KINDS.get(kind)
    if spec is None:
        raise Http404
    if request.method == "POST":
        return _submit(request, spec)
    kept = kept_forms.take(request)
    if kept is not None:
        form = StudioForm.from_post(spec, kept)
        _take_pictures(kept, {}, form, person_of(request))
        return _page(request, spec, form)
    return _page(request, spec, _fresh_form(request, spec))


def _fresh_form(request: HttpRequest, spec: KindSpec) -> StudioForm:
    """Defaults; a recipe to make again (``?again=``, ``&seed=new`` for another seed); or a picture."""
    person, wanted = person_of(request), request.GET
    repeat = recipes.recipe_to_repeat(person, wanted.get("again", ""))
    if repeat is not None and repeat.kind == spec.slug:
        return StudioForm(
            spec,
            repeat.parameters,
            seed="" if wanted.get("seed") == "new" else str(repeat.seed),
            pictures=repeat.inputs,
            publish_as=repeat.publish_as,
        )
    pictures: dict[str, Upload | Artwork] = {}
    for role in spec.inputs:
        if (work := artworks.input_artwork(person, wanted.get(role.role, ""))) is not None:
            pictures[role.role] = work
    begun = {param.name: param.begun(get_language()) for param in spec.params}
    values = {name: value for name, value in begun.items() if value is not None}
    values |= {param.name: wanted[param.name] for param in spec.params if param.name in wanted}
    # The name of a role may be the name of a parameter: a picture's id is no ready style.
    values = {name: value for name, value in values.items() if name not in pictures}
    return StudioForm(spec, values, pictures=pictures)


def places_of(form: StudioForm) -> PlacesForm[Any] | None:
    """The view on ``form`` of a kind that has places for several pictures; None for other kinds."""
    if not form.kind.form_class:
        return None
    made: PlacesForm[Any] = import_string(form.kind.form_class)(form)
    return made


def picker_of(person: User, find: str = "") -> dict[str, Any]:
    """Works to choose a parent from: one's own and the gallery's newest, or those that ``find`` finds."""
    own = artworks.works_page(person, search=find).rows if find else artworks.recent_pictures(person)
    return {
        "find": find,
        "own": [work for work in own if work.file][: artworks.STRIP],
        "listed": [
            work
            for work in artworks.gallery_page(search=find).rows
            if work.file and work.owner_id != person.pk
        ][: artworks.STRIP],
    }


def _page(request: HttpRequest, spec: KindSpec, form: StudioForm, status: int = 200) -> HttpResponse:
    person = person_of(request)
    places = places_of(form)
    context: dict[str, Any] = {
        "kind": spec,
        "form": form,
        "expected": queue.expected_wait(spec.slug),
        "visibilities": visibility_options(),
        "styles": kinds.styles() if form.styles else (),
        "recent": artworks.recent_works(person, spec.slug),
        "places": places,
    }
    if places is not None and places.searches:
        find = request.GET.get("find", "").strip()[:100]
        context["picker"] = picker_of(person, find) | {"open": not places.full and not form.has_errors}
    else:
        context["pictures"] = artworks.recent_pictures(person) if spec.inputs else []
    return render(request, "studio/kind.html", context, status=status)


def _submit(request: HttpRequest, spec: KindSpec) -> HttpResponse:
    """A job and its page; or the form again, with what was typed and what is wrong."""
    person = person_of(request)
    form = StudioForm.from_post(spec, request.POST)
    try:
        _take_pictures(request.POST, request.FILES, form, person)
    except CannotSave as problem:
        return _not_saved(request, spec, form, problem)
    places = places_of(form)
    if places is not None:
        if "add" in request.POST or "remove" in request.POST:
            _change_places(request, places, person)
            return _page(request, spec, form)
        places.tidy()
    seed = form.clean_seed()
    recipe = None
    try:
        recipe = spec.recipe(form.parameters, frozenset(form.inputs))
    except InvalidRecipe as problem:
        form.add_errors(problem.errors)
    if recipe is None or form.has_errors:
        return _page(request, spec, form, 422)
    try:
        job = _job_of(form, recipe, seed, person)
    except InvalidRecipe as problem:
        form.add_errors(problem.errors)
        return _page(request, spec, form, 422)
    except submissions.QuotaExceeded as problem:
        form.errors.append(str(problem.visitor))
        response = _page(request, spec, form, 429)
        response["Retry-After"] = str(problem.retry_after)
        return response
    except CannotSave as problem:
        return _not_saved(request, spec, form, problem)
    return redirect("job", job_id=job.pk)


def _not_saved(request: HttpRequest, spec: KindSpec, form: StudioForm, problem: CannotSave) -> HttpResponse:
    """The form as it was sent, and why nothing could be saved."""
    form.errors.append(str(problem.visitor))
    response = _page(request, spec, form, 503)
    response["Retry-After"] = str(storage.RETRY_SECONDS)
    return response


def _change_places(request: HttpRequest, places: PlacesForm[Any], person: User) -> None:
    """One parent or style more or less: buttons of the form, for pages without scripts."""
    if "remove" in request.POST:
        places.remove(request.POST["remove"])
    elif (work := artworks.input_artwork(person, request.POST["add"])) is not None:
        places.put(work)
    else:
        places.form.errors.append(_("There is no such picture."))


def _take_pictures(fields: QueryDict, files: Mapping[str, object], form: StudioForm, person: User) -> None:
    """The picture of every role: a file that came along, a work, or the upload of an earlier try."""
    for control in form.pictures:
        file = files.get(control.name)
        if isinstance(file, UploadedFile):
            try:
                control.picture = uploads.upload_create(owner=person, file=file)
            except images.PictureRejected as problem:
                control.errors.append(str(problem.visitor))
        elif work_id := fields.get(f"{control.name}_work", ""):
            control.picture = artworks.input_artwork(person, work_id)
        elif upload_id := fields.get(f"{control.name}_upload", ""):
            control.picture = artworks.own_upload(person, upload_id)


def _job_of(form: StudioForm, recipe: Recipe, seed: int | None, person: User) -> Job:
    """The job of this form. Sent twice it makes one; changed in between it makes another.

    A browser that goes back brings the old key with the new content, and a double click brings the
    same picture as two uploads: both are told apart here, so that nobody meets a conflict.
    """

    def submit(key: str) -> Job:
        return submissions.recipe_submit(
            owner=person,
            recipe=recipe,
            seed=seed,
            inputs=form.inputs,
            idempotency_key=key,
            publish_as=form.publish_as,
        )

    try:
        return submit(form.key)
    except submissions.IdempotencyConflict:
        return _same_but_for_upload(form, recipe, seed, person) or submit(_key_of_content(form, seed))


def _same_but_for_upload(form: StudioForm, recipe: Recipe, seed: int | None, person: User) -> Job | None:
    """The job of the same key, when it differs only in that its pictures were uploaded a moment apart."""
    earlier = jobs.job_of_key(person, form.key)
    if earlier is None:
        return None
    given = {one.role: _content(one.upload or one.artwork) for one in jobs.job_inputs(earlier)}
    same = (
        earlier.kind == form.kind.slug
        and earlier.parameters == recipe.parameters
        and (seed is None or seed == earlier.seed)
        and earlier.publish_as == form.publish_as
        and given == {role: _content(picture) for role, picture in form.inputs.items()}
    )
    return earlier if same else None


def _content(picture: Upload | Artwork | None) -> str:
    return picture.sha256 if picture is not None else ""


def _key_of_content(form: StudioForm, seed: int | None) -> str:
    """A key of its own for a changed form, equal for two equal ones: a double click stays one job."""
    pictures = {role: _content(picture) for role, picture in form.inputs.items()}
    content = json.dumps([form.key, form.kind.slug, form.parameters, seed, form.publish_as, pictures])
    return uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16]).hex
