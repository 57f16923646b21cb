"""The Django app of the gallery: the domain, the pages, the sockets."""

from django.apps import AppConfig


class GalleryConfig(AppConfig):
    """Registers the gallery and its signals; nothing else happens at import."""

    name = "gallery"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the signals."""
        from gallery.live import signals  # noqa: F401
        from gallery.services.accounts import names, security_log  # noqa: F401
