"""The wiring as a Django app: it brings the ``studio`` command and the checks of a deployment."""

from django.apps import AppConfig


class ArtsiteConfig(AppConfig):
    """No models; registers the system checks."""

    name = "artsite"

    def ready(self) -> None:
        """Checks register themselves at import."""
        from artsite import checks  # noqa: F401
