"""Workers and storage, for operators."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from orchestration import heartbeat, retention, storage, upkeep
from orchestration.admin_base import ReadOnlyAdmin
from orchestration.engine.waiting import SILENT_SECONDS
from orchestration.models import Aftermath, Upkeep, Worker

#: The page says "2,000+" and stays quick.
MOST_COUNTED = 2_000


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """As the workers say themselves; one that is lost or cut off is “silent”, and goes after ten minutes."""

    ordering = ("name",)
    list_display = (
        "name", "state", "listens_to", "slots", "running", "seen_at", "version", "started_at",
    )  # fmt: skip
    search_fields = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="queues")
    def listens_to(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @admin.display(description="running steps")
    def running(self, worker: Worker) -> int:
        return storage.running_steps_of(worker.name)

    @admin.display(description="state")
    def state(self, worker: Worker) -> str:
        if timezone.now() - worker.seen_at > timedelta(seconds=SILENT_SECONDS):
            return "silent"
        return "draining" if worker.is_draining else "at work"


@admin.register(Aftermath)
class AftermathAdmin(ReadOnlyAdmin):
    """A fault of ours: what should have followed from the end of a run, tried again until it succeeds."""

    list_display = ("receiver", "run", "organization", "error", "tries", "next_at", "created_at")
    list_select_related = ("organization", "run")
    search_fields = ("receiver", "error", "=run__number")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Upkeep)
class StorageAdmin(ReadOnlyAdmin):
    """One page in place of a list: sizes, what the next prune takes, what the last one took."""

    ordering = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        now = timezone.now()
        due = retention.preview(now, most=MOST_COUNTED)
        last = upkeep.last(upkeep.PRUNE)
        is_well, ping = heartbeat.state_words()
        context = {
            **self.admin_site.each_context(request),
            "title": "Storage",
            "opts": self.opts,
            "database": storage.database(),
            "directories": storage.directories(),
            "oldest": storage.oldest(),
            "kinds": [_Kind(pruner, due, last) for pruner in retention.all_pruners()],
            "last": last,
            "tick": upkeep.last_tick(),
            "is_ticking": upkeep.is_ticking(now),
            "ping": ping,
            "ping_is_well": is_well,
        }
        return TemplateResponse(request, "admin/storage.html", context)


class _Kind:
    """A row of what grows old: what the next prune takes, and what the last one took (None: unknown)."""

    def __init__(self, pruner: retention.Pruner, due: dict[str, int], last: Upkeep | None) -> None:
        self.label = pruner.label
        self.due = due[pruner.name]
        self.is_more = self.due >= MOST_COUNTED
        items: dict[str, int] = last.details.get("items", {}) if last else {}
        self.took = items.get(pruner.name)
