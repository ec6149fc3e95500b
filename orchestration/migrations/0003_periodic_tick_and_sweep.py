"""The only two periodic tasks: one tick for all schedules, and the sweep."""

from typing import Any

from django.db import migrations
from django.utils import timezone

#: Name → (task, seconds). A bell nobody heard in time is worthless: the next one follows.
TASKS = {
    "Start due schedules": ("orchestration.tick_schedules", 1),
    "Put lost runs right": ("orchestration.sweep_runs", 5),
}


def create_tasks(apps: Any, schema_editor: Any) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    changed = apps.get_model("django_celery_beat", "PeriodicTasks")
    for name, (task, seconds) in TASKS.items():
        every, _ = interval.objects.get_or_create(every=seconds, period="seconds")
        periodic.objects.update_or_create(
            name=name,
            defaults={"task": task, "interval": every, "expire_seconds": seconds * 3},
        )
    changed.objects.update_or_create(ident=1, defaults={"last_update": timezone.now()})


def delete_tasks(apps: Any, schema_editor: Any) -> None:
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    periodic.objects.filter(name__in=list(TASKS)).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0002_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create_tasks, delete_tasks)]
