"""What waits for a step, at the step: who ends looks only there."""

from collections import defaultdict
from typing import Any

from django.db import migrations, models


def fill(apps: Any, schema_editor: Any) -> None:
    """Runs that go on while the new version starts; ended ones need it no more."""
    steps = apps.get_model("orchestration", "RunStep")._base_manager
    by_run: dict[int, list[Any]] = defaultdict(list)
    for step in steps.filter(run__status__in=["queued", "running"]):
        by_run[step.run_id].append(step)
    for rows in by_run.values():
        for step in rows:
            step.downstream = sorted(r.position for r in rows if step.position in r.upstream)
        steps.bulk_update(rows, ["downstream"])


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0005_trusted_runs")]

    operations = [
        migrations.AddField("runstep", "downstream", models.JSONField(default=list)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
