"""Settings of the tests: everything real, only cheaper."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_scratch = Path(tempfile.mkdtemp(prefix="datanika-test-"))
_owner = os.getpid()
os.environ["DATANIKA_DATA_DIR"] = str(_scratch / "data")


@atexit.register
def _forget_scratch() -> None:
    # Forked processes leave it alone.
    if os.getpid() == _owner:
        shutil.rmtree(_scratch, ignore_errors=True)


_database_url = os.environ.pop("DATABASE_URL", "")
os.environ.pop("CELERY_BROKER_URL", None)

from datanika_site import env as _environment  # noqa: E402
from datanika_site.settings import *  # noqa: E402,F403
from datanika_site.settings import (  # noqa: E402
    ACCOUNT_RATE_LIMITS,
    DATABASES,
    STATIC_ROOT,
    STORAGES,
)

if _database_url:
    os.environ["DATABASE_URL"] = _database_url
    DATABASES["default"] = _environment.database(_scratch)
else:
    # A file, so that threads of a test see the same rows as it does.
    DATABASES["default"]["TEST"] = {"NAME": str(_scratch / "test.sqlite3")}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# WhiteNoise warns of a directory that is not there, and warnings are errors here.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A test sees at once what it has changed, and nothing of the test before it.
PLATFORM_SETTINGS_SECONDS = 0.0
# A test says itself when a queued step is executed.
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
# All tests ask from one address; those of the doors (tenants/tests/test_doors.py) set the real rates.
ACCOUNT_RATE_LIMITS = {**ACCOUNT_RATE_LIMITS, "api_key": "", "invitation": ""}
