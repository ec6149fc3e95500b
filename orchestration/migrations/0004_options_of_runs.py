from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0003_periodic_tick_and_sweep"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="options",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
