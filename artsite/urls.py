"""URLs of the whole site."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

# The administration's own form counts no failed attempts; people sign in where they are counted.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler500 = "gallery.views.site.server_error"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("gallery.urls")),
    path("accounts/", include("allauth.urls")),
]
