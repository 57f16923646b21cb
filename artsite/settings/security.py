"""Security headers and cookies: the service profile assumes TLS, the laptop profile is http on loopback."""

from __future__ import annotations

from csp.constants import NONE, SELF

from artsite import env

_SERVICE = env.choice("ARTSITE_PROFILE", ("laptop", "service")) == "service"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _SERVICE
CSRF_COOKIE_SECURE = _SERVICE
SECURE_SSL_REDIRECT = _SERVICE
# Health checks come from inside, without the proxy's header.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31536000 if _SERVICE else 0
# Both speak for hosts that are not this one, and preloading is hard to take back.
SECURE_HSTS_PRELOAD = env.flag("ARTSITE_HSTS_PRELOAD")
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if _SERVICE:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
