from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0006_what_waits_for_a_step")]

    operations = [
        migrations.AddField(
            model_name="node",
            name="succeeded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="runstep",
            name="conditions",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
