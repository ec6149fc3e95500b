"""The periodic task of the alerts: one watch for all rules, which also rings for what waits to be sent."""

from typing import Any

from django.db import migrations
from django.utils import timezone

NAME, TASK, SECONDS = "Watch for alerts", "alerts.watch", 10


def create_task(apps: Any, schema_editor: Any) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    changed = apps.get_model("django_celery_beat", "PeriodicTasks")
    every, _ = interval.objects.get_or_create(every=SECONDS, period="seconds")
    periodic.objects.update_or_create(
        name=NAME,
        # A watch nobody began in time is worthless: the next one follows.
        defaults={"task": TASK, "interval": every, "expire_seconds": SECONDS * 3},
    )
    changed.objects.update_or_create(ident=1, defaults={"last_update": timezone.now()})


def delete_task(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create_task, delete_task)]
