"""People."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person with an account. Our own model from the first migration, so that it can grow."""

    class Meta(AbstractUser.Meta):
        permissions = (
            ("moderate_artworks", "Can moderate public works"),
            ("operate_workers", "Can see and drain workers"),
        )
