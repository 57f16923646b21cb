"""URLs of the gallery's pages and their JSON."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
