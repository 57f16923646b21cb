"""URLs of the gallery's pages and their JSON."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("gallery.urls_media")),
]
