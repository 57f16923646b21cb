"""One work: its page, and what its owner may do with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery import kinds, permissions
from gallery.errors import Problem
from gallery.forms.artworks import ArtworkForm, visibility_options
from gallery.forms.moderation import DecisionForm
from gallery.models import Artwork, Moderation, Visibility
from gallery.permissions import Person
from gallery.presentation import payloads
from gallery.presentation.analysis import analysis_of
from gallery.presentation.lineage_layout import family_tree
from gallery.presentation.poem_picture import background_of, reading_of
from gallery.presentation.titles import heading
from gallery.selectors import artworks as selectors
from gallery.selectors import jobs, recipes
from gallery.selectors.lineage import lineage_graph
from gallery.selectors.similarity import similar_works
from gallery.services import artworks
from gallery.views.access import own_artwork, person_of, signed_in, visible_artwork
from gallery.views.resubmission import submit_again

NEAR, FEW = 2, 30
"""Levels and works of the family tree on a work's own page."""
FAR, MANY = 8, 150
"""Those of the whole tree, on a page of its own."""


@require_safe
def artwork(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """A work with its recipe and its relatives, for whoever may see it."""
    work = visible_artwork(request, artwork_id)
    return _page(request, work, _form(work))


def _page(request: HttpRequest, work: Artwork, form: ArtworkForm, status: int = 200) -> HttpResponse:
    person = request.user
    mine = permissions.can_edit(person, work)
    usable = mine or work.is_listed
    spec = kinds.KINDS.get(work.kind)
    context = {
        "artwork": work,
        "kind": spec,
        "mine": mine,
        "form": form if mine else None,
        "visibilities": visibility_options(),
        "tree": family_tree(lineage_graph(person, work, NEAR, FEW)),
        "siblings": selectors.siblings_of(person, work),
        "usable": bool(work.file) and usable,
        "before": before_of(person, work, spec.compare_with) if spec and spec.compare_with else None,
        "analysis": analysis_of(work),
        "similar": similar_works(person, work) if work.file else [],
        "ground": background_of(person, work),
        "read": None if work.file else reading_of(work),
        "again_key": uuid.uuid4().hex,
        "decision": DecisionForm()
        if permissions.can_moderate(person) and work.visibility != Visibility.PRIVATE
        else None,
        # An unlisted work that was removed is gone for its moderator too; the log has the way back.
        "decided": request.path if work.visibility == Visibility.PUBLIC else reverse("moderation_log"),
        "waits": work.visibility == Visibility.PUBLIC and work.moderation == Moderation.PENDING,
        "turned_down": work.moderation in (Moderation.REJECTED, Moderation.REMOVED),
    }
    return render(request, "artworks/detail.html", context, status=status)


@require_safe
def artwork_family(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """The family of a work as far as it reaches, for whoever may see the work."""
    work = visible_artwork(request, artwork_id)
    tree = family_tree(lineage_graph(request.user, work, FAR, MANY))
    return render(request, "artworks/family.html", {"artwork": work, "tree": tree})


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def artwork_edit(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """Title and visibility. The form stands on the work's own page."""
    work = own_artwork(request, artwork_id)
    if request.method != "POST":
        return redirect(reverse("artwork", args=[work.pk]) + "#edit")
    form = ArtworkForm(request.POST)
    if not form.is_valid():
        return _page(request, work, form, 422)
    person = person_of(request)
    try:
        if form.cleaned_data["title"] != work.title:
            work = artworks.artwork_rename(artwork=work, title=form.cleaned_data["title"], by=person)
        wanted = form.cleaned_data["visibility"]
        if wanted != work.visibility:
            work = artworks.artwork_set_visibility(artwork=work, visibility=wanted, by=person)
    except Problem as problem:
        form.add_error(None, str(problem.visitor))
        return _page(request, own_artwork(request, artwork_id), form, 422)
    if work.visibility == Visibility.PUBLIC and work.moderation == Moderation.PENDING:
        messages.success(request, _("Saved. It appears in the gallery once a moderator has approved it."))
    else:
        messages.success(request, _("Saved."))
    return redirect("artwork", artwork_id=work.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def artwork_delete(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """Ask, then delete for good."""
    work = own_artwork(request, artwork_id)
    if request.method != "POST":
        return render(request, "artworks/delete.html", {"artwork": work})
    artworks.artwork_delete(artwork=work, by=person_of(request))
    messages.success(request, _("The work was deleted."))
    return redirect("my_works")


@require_POST
@signed_in
def artwork_again(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """Make its recipe once more, with the same seed or (``seed=new``) another one."""
    work = visible_artwork(request, artwork_id)
    repeat = recipes.recipe_to_repeat(person_of(request), work.pk)
    if repeat is None or repeat.kind not in kinds.KINDS:
        raise Http404
    new_seed = request.POST.get("seed") == "new"
    return submit_again(
        request,
        work,
        repeat,
        parameters=repeat.parameters,
        seed=None if new_seed else repeat.seed,
        button="new" if new_seed else "same",
    )


@dataclass(frozen=True, slots=True)
class Before:
    """The picture that a work was made from, beside which the work is shown."""

    url: str
    width: int
    height: int
    title: str


def before_of(person: Person, work: Artwork, role: str) -> Before | None:
    """The picture in ``role``, when the person may see it: a work, or an upload of their own."""
    parent = next((one.artwork for one in selectors.parents_of(person, work) if one.relation == role), None)
    if parent is not None:
        return Before(payloads.picture_url(parent), parent.width, parent.height, heading(parent))
    if work.job is None:
        return None
    given = next((one for one in jobs.job_inputs(work.job) if one.role == role), None)
    upload = given.upload if given is not None else None
    if upload is None or upload.owner_id != person.pk:
        return None
    return Before(payloads.upload_url(upload), upload.width, upload.height, _("The picture you brought"))


def _form(work: Artwork) -> ArtworkForm:
    return ArtworkForm(initial={"title": work.title, "visibility": work.visibility})
