"""The Celery application: a bell, never the memory of what is to be done."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings")

TRANSPORT_ALIASES["files"] = "datanika_site.file_broker:Transport"

app = Celery("datanika")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
