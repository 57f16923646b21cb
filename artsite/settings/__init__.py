"""Settings, from typed environment variables (:mod:`artsite.env`): one code for laptop and service."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext_lazy as _

from artsite import env, logging
from artsite.settings.paths import cookie_prefix, read_or_make_secret_key, redis_urls
from artsite.settings.services import database, mail

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(env.text("ARTSITE_DATA"))
DATA = DATA if DATA.is_absolute() else ROOT / DATA
PROFILE = env.choice("ARTSITE_PROFILE", ("laptop", "service"))
SERVICE = PROFILE == "service"

SECRET_KEY = env.text("ARTSITE_SECRET_KEY") or read_or_make_secret_key(DATA)
SECRET_KEY_FALLBACKS = env.words("ARTSITE_SECRET_KEY_FALLBACKS")
DEBUG = env.flag("ARTSITE_DEBUG")
ALLOWED_HOSTS = env.words("ARTSITE_HOSTS")
_cookies = cookie_prefix(SECRET_KEY)
SESSION_COOKIE_NAME = f"{_cookies}_session"
CSRF_COOKIE_NAME = f"{_cookies}_csrf"
LANGUAGE_COOKIE_NAME = f"{_cookies}_language"
# Only workers read it, but who mistypes it should hear of it at once.
env.matching("ARTSITE_DEVICE", r"(cpu|cuda(:\d+)?)?", "cpu, cuda or cuda:N")
# Sockets check the full origin; on a laptop the port is only known at start, so the host is the check there.
ORIGINS = env.words("ARTSITE_ORIGINS")
CSRF_TRUSTED_ORIGINS = ORIGINS

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "allauth",
    "allauth.account",
    "gallery",
    "artsite",
]
MIDDLEWARE = [
    "artsite.streaming.stream_files",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "artsite.private_pages.keep_private",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
CSRF_FAILURE_VIEW = "gallery.views.access.csrf_failure"
ROOT_URLCONF = "artsite.urls"
ASGI_APPLICATION = "artsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------
DATABASES = {"default": database(env.text("DATABASE_URL"), DATA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: broker (db 0), channel layer (db 1), cache (db 2) --------------------------------------
REDIS_SOCKET, CELERY_BROKER_URL, _channels_url, _cache_url = redis_urls(env.text("REDIS_URL"), DATA)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [_channels_url], "prefix": "artsite"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "artsite.cache.StudioCache",
        "LOCATION": _cache_url,
        # A Redis that hangs must not hang the pages.
        "OPTIONS": {"socket_connect_timeout": 0.3, "socket_timeout": 0.5},
    }
}

# --- Celery: the row is the queue, a message only notifies of it -------------------------------------
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A full Redis refuses commands; a worker that met that in the middle of a delivery would end.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.05,
    "interval_max": 0.05,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]

# --- Jobs -----------------------------------------------------------------------------------------
ARTSITE_LEASE_SECONDS = env.integer("ARTSITE_LEASE_SECONDS", 1)
ARTSITE_SWEEP_SECONDS = env.integer("ARTSITE_SWEEP_SECONDS", 1)
ARTSITE_MAX_WAITING = env.integer("ARTSITE_MAX_WAITING", 1)
ARTSITE_JOBS_PER_DAY = env.integer("ARTSITE_JOBS_PER_DAY")
ARTSITE_MAX_UPLOAD_BYTES = env.integer("ARTSITE_MAX_UPLOAD_MB", 1) * 2**20
ARTSITE_WORKS_QUOTA_BYTES = env.integer("ARTSITE_WORKS_QUOTA_MB", 1) * 2**20
ARTSITE_MIN_FREE_BYTES = env.integer("ARTSITE_MIN_FREE_MB") * 2**20
ARTSITE_UPLOAD_QUOTA_BYTES = env.integer("ARTSITE_UPLOAD_QUOTA_MB", 1) * 2**20

# --- Accounts ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "gallery.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "gallery.services.accounts.passwords.SiteNameValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "studio"
ACCOUNT_LOGOUT_REDIRECT_URL = "gallery"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_ADAPTER = "gallery.services.accounts.adapter.AccountAdapter"
ARTSITE_SIGNUP = env.choice("ARTSITE_SIGNUP", ("open", "invite", "closed"))
ACCOUNT_EMAIL_VERIFICATION = env.choice("ARTSITE_EMAIL_VERIFICATION", ("none", "optional", "mandatory"))
_email = "email*" if ACCOUNT_EMAIL_VERIFICATION == "mandatory" else "email"
ACCOUNT_SIGNUP_FIELDS = ["username*", _email, "password1*", "password2*"]
ACCOUNT_PREVENT_ENUMERATION = True

# --- Mail ---------------------------------------------------------------------------------------------
_mail = mail(env.text("ARTSITE_EMAIL_URL"))
EMAIL_BACKEND = _mail.backend
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.use_tls, _mail.use_ssl
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _mail.sender

# --- Log ----------------------------------------------------------------------------------------------
LOGGING = logging.configuration(
    env.choice("ARTSITE_LOG_FORMAT", ("plain", "json")),
    env.choice("ARTSITE_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR")),
)

# --- Languages, time, files ---------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "gallery" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("ARTSITE_STATIC") or DATA / "static")
MEDIA_ROOT = DATA / "media"
# Never served by URL: gallery.views.media checks the permission first.
MEDIA_ACCEL_LOCATION = env.text("ARTSITE_MEDIA_URL")
STORAGES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if _bucket := env.text("ARTSITE_S3_BUCKET"):
    STORAGES["default"] = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": _bucket}}
FILE_UPLOAD_PERMISSIONS = 0o640
DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20

from artsite.settings.security import *  # noqa: E402, F403
