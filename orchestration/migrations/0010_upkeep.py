import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0009_backfills_go_slice_by_slice"),
    ]

    operations = [
        migrations.CreateModel(
            name="Upkeep",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_good", models.BooleanField(default=True)),
                ("note", models.CharField(blank=True, max_length=500)),
                ("details", models.JSONField(blank=True, default=dict)),
                ("busy_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "storage",
                "verbose_name_plural": "storage",
                "ordering": ["name"],
            },
        ),
    ]
