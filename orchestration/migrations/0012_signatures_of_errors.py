from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0011_periodic_prune_and_heartbeat"),
    ]

    operations = [
        migrations.AddField(
            model_name="runstep",
            name="error_signature",
            field=models.CharField(blank=True, max_length=80),
        ),
    ]
