"""The ASGI application: HTTP through Django, sockets through the gallery's consumer."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artsite.settings")
# Django must be set up before anything that imports models.
_http = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from artsite.health import Health  # noqa: E402
from artsite.limits import BodyLimit  # noqa: E402
from gallery.live.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": Health(BodyLimit(_http)), "websocket": websocket_application})
