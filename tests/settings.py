"""Settings for tests: the real ones, in a data folder of their own, without what only costs time.

The folder is named before the settings load, so that no test can touch the studio of the person
who runs them. Child processes of tests get the real ``artsite.settings`` (see ``tests/conftest.py``).
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

TEST_DATA = Path(tempfile.mkdtemp(prefix="artsite-tests-"))
atexit.register(shutil.rmtree, TEST_DATA, ignore_errors=True)
(TEST_DATA / "static").mkdir()  # WhiteNoise warns when its folder is missing
# These are for the tests themselves (tests/live/faults/supervision.py and test_chaos.py).
OURS = ("ARTSITE_FAULT_REPEATS", "ARTSITE_CHAOS_SECONDS", "ARTSITE_CHAOS_SEED")
for _name in [name for name in os.environ if name.startswith("ARTSITE_") and name not in OURS]:
    del os.environ[_name]
os.environ.pop("DATABASE_URL", None)
os.environ.pop("REDIS_URL", None)
os.environ["ARTSITE_DATA"] = str(TEST_DATA)

from artsite.settings import *  # noqa: E402, F403
from artsite.settings import DATABASES, STORAGES  # noqa: E402

# A file, not memory: threads and the event loop see the locks that they will see in the studio.
DATABASES["default"]["TEST"] = {"NAME": TEST_DATA / "test.sqlite3"}
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "[::1]"]
