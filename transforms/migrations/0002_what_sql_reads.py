from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transforms", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="transformation",
            name="reads",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="transformation",
            name="reads_of",
            field=models.CharField(blank=True, editable=False, max_length=32),
        ),
        migrations.AlterField(
            model_name="transformation",
            name="build_status",
            field=models.CharField(
                choices=[
                    ("untested", "Never"),
                    ("succeeded", "Succeeded"),
                    ("warning", "Warned"),
                    ("failed", "Failed"),
                    ("test_fail", "Tests Failed"),
                    ("skipped", "Skipped"),
                ],
                default="untested",
                editable=False,
                max_length=10,
            ),
        ),
    ]
