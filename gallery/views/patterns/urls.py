"""URLs of the pattern page, included with ``DEBUG`` only."""

from __future__ import annotations

from django.urls import path

from gallery.views.patterns import pages

urlpatterns = [
    path("", pages.patterns, name="patterns"),
    path("<slug:name>/", pages.pattern, name="pattern"),
]
