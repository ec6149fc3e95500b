"""Two more periodic tasks: what is old goes every hour, the dead-man's ping is sent every minute."""

from typing import Any

from django.db import migrations
from django.utils import timezone

#: Name → (task, seconds). A ping that comes late would say what is not known to be true any more.
TASKS = {
    "Take away what is old": ("orchestration.prune_old", 3600),
    "Tell the monitor that the scheduler lives": ("orchestration.send_heartbeat", 60),
}


def create_tasks(apps: Any, schema_editor: Any) -> None:
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    changed = apps.get_model("django_celery_beat", "PeriodicTasks")
    for name, (task, seconds) in TASKS.items():
        every, _ = interval.objects.get_or_create(every=seconds, period="seconds")
        periodic.objects.update_or_create(
            name=name,
            defaults={"task": task, "interval": every, "expire_seconds": min(seconds, 300)},
        )
    changed.objects.update_or_create(ident=1, defaults={"last_update": timezone.now()})


def delete_tasks(apps: Any, schema_editor: Any) -> None:
    periodic = apps.get_model("django_celery_beat", "PeriodicTask")
    periodic.objects.filter(name__in=list(TASKS)).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0010_upkeep"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create_tasks, delete_tasks)]
