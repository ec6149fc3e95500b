"""Settings of the tests: everything real, only cheaper."""

import os
import tempfile
from pathlib import Path

_scratch = Path(tempfile.mkdtemp(prefix="datanika-test-"))
os.environ["DATANIKA_DATA_DIR"] = str(_scratch / "data")
_database_url = os.environ.pop("DATABASE_URL", "")
os.environ.pop("CELERY_BROKER_URL", None)

from datanika_site import env as _environment  # noqa: E402
from datanika_site.settings import *  # noqa: E402,F403
from datanika_site.settings import DATABASES, STORAGES  # noqa: E402

if _database_url:
    os.environ["DATABASE_URL"] = _database_url
    DATABASES["default"] = _environment.database(_scratch)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A test says itself when a queued step is executed.
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
