"""The settings of the processes under chaos: the product's own, with two knobs that no operator needs."""

import os

from datanika_site.settings import *  # noqa: F403
from datanika_site.settings import CELERY_BROKER_TRANSPORT_OPTIONS, STORAGES

# The pages are asked for their words; nobody collects static files for that.
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
if _seconds := os.environ.get("CHAOS_VISIBILITY_SECONDS"):
    #: After this long Redis hands out again what was taken and not acknowledged.
    CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {
        "visibility_timeout": int(_seconds)
    }
