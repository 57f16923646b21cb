"""The Django app of the gallery: the domain, the pages, the sockets."""

from django.apps import AppConfig


class GalleryConfig(AppConfig):
    """Registers the gallery; nothing happens at import."""

    name = "gallery"
    default_auto_field = "django.db.models.BigAutoField"
