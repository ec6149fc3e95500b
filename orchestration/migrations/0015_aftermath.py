import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0014_run_as_it_was"),
        ("tenants", "__first__"),
    ]

    operations = [
        migrations.AddField(
            model_name="standing",
            name="error_end",
            field=models.CharField(blank=True, db_default="", default="", max_length=11),
        ),
        migrations.CreateModel(
            name="Aftermath",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("receiver", models.CharField(max_length=60)),
                ("tries", models.PositiveIntegerField(default=1)),
                ("next_at", models.DateTimeField(db_index=True)),
                ("error", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "unfinished aftermath of a run",
                "verbose_name_plural": "unfinished aftermaths of runs",
                "ordering": ["next_at", "pk"],
                "abstract": False,
                "default_manager_name": "all_organizations",
                "base_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(fields=("run", "receiver"), name="aftermath_unique")
                ],
            },
            managers=[("all_organizations", django.db.models.manager.Manager())],
        ),
    ]
