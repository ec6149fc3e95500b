"""Writes docs/errors.md from the catalogue."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import translation

from orchestration.explanations.reference import reference


class Command(BaseCommand):
    help = "Write docs/errors.md, the list of every error that is explained, anew."

    def handle(self, *args: Any, **options: Any) -> None:
        file = Path(settings.BASE_DIR) / "docs" / "errors.md"
        with translation.override("en"):
            file.write_text(reference())
        self.stdout.write(f"Written: {file.name}")
