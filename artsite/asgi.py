"""The ASGI application: HTTP through Django, sockets through the gallery's consumer."""

from __future__ import annotations

import os
import tempfile

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artsite.settings")
# Django must be set up before anything that imports models.
_http = get_asgi_application()

from django.conf import settings  # noqa: E402

# Large bodies are spooled beside the data, where there is room: /tmp may be a little memory.
_spool = settings.DATA / "tmp"
_spool.mkdir(mode=0o700, parents=True, exist_ok=True)
tempfile.tempdir = str(_spool)

from channels.routing import ProtocolTypeRouter  # noqa: E402

from artsite.health import Health  # noqa: E402
from artsite.limits import BodyLimit  # noqa: E402
from gallery.live.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": Health(BodyLimit(_http)), "websocket": websocket_application})
