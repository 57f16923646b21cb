"""What is a person's own beside their works: the pictures they brought, and the account itself."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery.models import User
from gallery.selectors import artworks
from gallery.services import uploads
from gallery.services.accounts.erasure import LastAdministrator, account_erase
from gallery.views.access import person_of, signed_in


@require_safe
@signed_in
def my_uploads(request: HttpRequest) -> HttpResponse:
    """The pictures that the person brought, newest first, and how much space they and the works take."""
    person = person_of(request)
    page = artworks.uploads_page(person, request.GET.get("onward", ""), request.GET.get("back", ""))
    return render(request, "account/uploads.html", {"page": page, "space": uploads.space_of(person)})


@require_POST
@signed_in
def upload_delete(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Delete one of them."""
    upload = artworks.own_upload(person_of(request), upload_id)
    if upload is None:
        raise Http404
    try:
        uploads.upload_delete(upload=upload)
    except uploads.UploadInUse as problem:
        messages.warning(request, str(problem.visitor))
    else:
        messages.success(request, _("The picture was deleted."))
    return redirect("my_uploads")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@sensitive_post_parameters()
def account_delete(request: HttpRequest) -> HttpResponse:
    """Ask for the password, then erase the account and everything in it."""
    person, error = person_of(request), ""
    if request.method == "POST":
        if not _is_confirmed(request, person):
            error = _("This is not your password.")
        else:
            try:
                account_erase(person)
            except LastAdministrator as problem:
                error = str(problem.visitor)
            else:
                logout(request)
                messages.success(request, _("Your account and everything in it were deleted."))
                return redirect("gallery")
    return render(request, "account/delete.html", {"error": error}, status=422 if error else 200)


def _is_confirmed(request: HttpRequest, person: User) -> bool:
    return person.check_password(request.POST.get("password", ""))
