"""The Celery application: a bell, never the memory of what is to be done."""

import logging
import os
import threading
import time

from celery import Celery
from celery.beat import Service
from celery.signals import (
    after_task_publish,
    beat_init,
    task_received,
    worker_init,
    worker_ready,
)
from kombu.transport import TRANSPORT_ALIASES

from datanika_site import outages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings")

TRANSPORT_ALIASES["files"] = "datanika_site.file_broker:Transport"

app = Celery("datanika")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

logger = logging.getLogger("datanika.beat")
_AGAIN_SECONDS = 5


@beat_init.connect
@worker_init.connect
def _tell_outages(**_: object) -> None:
    outages.watch_loggers()


@after_task_publish.connect
@task_received.connect
def _broker_answers(**_: object) -> None:
    outages.OUTAGES.is_over()


@worker_ready.connect
def _beat_inside(**_: object) -> None:
    """Where one worker is all there is, beat is a thread of it; two beats would do no harm, only work twice."""
    if os.environ.get("DATANIKA_BEAT_INSIDE"):
        threading.Thread(target=_beat, name="beat", daemon=True).start()


def _beat() -> None:
    while True:
        try:
            # A service by itself would keep its schedule in a file.
            Service(
                app,
                max_interval=app.conf.beat_max_loop_interval,
                scheduler_cls=app.conf.beat_scheduler,
            ).start()
        except Exception:
            logger.exception("beat stopped; it is started again")
        time.sleep(_AGAIN_SECONDS)
