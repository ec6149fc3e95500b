"""The list of pipelines is read in the order of its index, a page at a time."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("pipelines", "0003_settings_of_loads")]

    operations = [
        migrations.AddIndex(
            model_name="pipeline",
            index=models.Index(
                fields=["organization", "name", "id"],
                condition=Q(deleted_at__isnull=True),
                name="pipeline_by_name",
            ),
        ),
    ]
