"""Pages around the editor: the list of transformations, the source tables, deleting."""

import uuid
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from common.access import OrganizationRequest, Permission, requires
from common.errors import DatanikaError
from common.http import get_or_404, render_page, say, warn
from connections.models import DatasetTable
from transforms import selectors, services
from transforms.models import BuildStatus, Transformation
from transforms.selectors import TestCounts, TransformationFilter

PAGE_SIZE = 100
#: The status table's "not tested" is a connection's; nothing has been built here yet.
NEVER_BUILT = gettext_lazy("Never built")
STATUSES = (
    (BuildStatus.SUCCEEDED, gettext_lazy("Succeeded")),
    (BuildStatus.WARNED, gettext_lazy("With warnings")),
    (BuildStatus.FAILED, gettext_lazy("Failed")),
    (BuildStatus.TESTS_FAILED, gettext_lazy("Tests failed")),
    (BuildStatus.SKIPPED, gettext_lazy("Skipped")),
    (BuildStatus.NEVER, NEVER_BUILT),
)


def row_of(request: OrganizationRequest, name: str) -> Transformation:
    """The transformation with this name, or 404."""
    rows = Transformation.objects.for_organization(request.organization)
    return get_or_404(rows.select_related("connection", "organization"), name=name)


@require_GET
@requires(Permission.VIEW)
def transformation_list(request: OrganizationRequest) -> HttpResponse:
    """By folder, or flat and sorted; the filter is the query."""
    query = request.GET
    wanted = TransformationFilter(
        query=query.get("q", "").strip(),
        folder=query.get("folder", ""),
        status=query.get("status", ""),
        tag=query.get("tag", ""),
        connection=query.get("warehouse", ""),
    )
    flat = query.get("view") == "flat"
    sort = query.get("sort", "name") if flat else ""
    start = _offset(query.get("after"))
    shown, total = selectors.page_of_transformations(
        request.organization, wanted, sort=sort, start=start, size=PAGE_SIZE
    )
    choices = selectors.choices_of(request.organization)
    counts = selectors.test_counts(shown)
    rows = [{"row": row, "tests": counts.get(row.pk, TestCounts())} for row in shown]
    context = {
        "filter": wanted,
        "flat": flat,
        "groups": [("", rows)] if flat else _by_folder(rows),
        "total": total,
        "any": choices.any,
        "folders": choices.folders,
        "tags": choices.tags,
        "warehouses": choices.warehouses,
        "statuses": STATUSES,
        "never_built": NEVER_BUILT,
        "previous": max(start - PAGE_SIZE, 0) if start else None,
        "next": start + PAGE_SIZE if start + PAGE_SIZE < total else None,
        "can_edit": request.actor.can(Permission.EDIT),
        "can_run": request.actor.can(Permission.RUN),
        "has_warehouse": bool(selectors.warehouses(request.organization)),
        "token": uuid.uuid4().hex,
        "tabs": tabs(request, "transformations"),
    }
    return render_page(request, "transforms/transformation_list.html", context, partial="list")


def _by_folder(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(folder, list(group)) for folder, group in groupby(rows, lambda r: r["row"].folder)]


def _offset(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 9 else 0


def tabs(request: OrganizationRequest, current: str) -> list[dict[str, Any]]:
    """The two lists of this part: what is computed, and what there is to compute from."""
    places = (
        ("transformations", _("Transformations"), "transforms:transformation-list"),
        ("sources", _("Source tables"), "transforms:source-list"),
    )
    return [
        {
            "label": label,
            "url": reverse(name, args=[request.organization.slug]),
            "current": key == current,
        }
        for key, label, name in places
    ]


@require_GET
@requires(Permission.VIEW)
def source_list(request: OrganizationRequest) -> HttpResponse:
    """The tables that pipelines load, by warehouse and dataset, with what names them in SQL."""
    query = request.GET.get("q", "").strip()
    warehouses = selectors.warehouses(request.organization)
    rows = DatasetTable.objects.for_organization(request.organization)
    tables = rows.filter(connection__in=warehouses).select_related("connection")
    found = _matching(tables, query)
    start = _offset(request.GET.get("after"))
    shown = found[start : start + PAGE_SIZE]
    used = _read_sources(request)
    groups = [
        (connection, schema, [_source_row(table, used) for table in group])
        for (connection, schema), group in groupby(shown, lambda t: (t.connection, t.schema))
    ]
    context = {
        "q": query,
        "groups": groups,
        "total": len(found),
        "any": tables.exists(),
        "has_warehouse": bool(warehouses),
        "previous": max(start - PAGE_SIZE, 0) if start else None,
        "next": start + PAGE_SIZE if start + PAGE_SIZE < len(found) else None,
        "can_edit": request.actor.can(Permission.EDIT),
        "tabs": tabs(request, "sources"),
    }
    return render_page(request, "transforms/source_list.html", context, partial="list")


def _matching(tables: QuerySet[DatasetTable], query: str) -> list[DatasetTable]:
    wanted = query.lower()
    rows = tables.order_by("connection__name", "connection", "schema", "name")
    return [row for row in rows if wanted in f"{row.schema}.{row.name}".lower()]


def _read_sources(request: OrganizationRequest) -> dict[tuple[int, str, str], list[str]]:
    """Who reads each table: by warehouse, dataset and table."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for row in Transformation.objects.for_organization(request.organization):
        for dataset, table in selectors.upstreams_of(row).sources:
            found.setdefault((row.connection_id, dataset, table), []).append(row.name)
    return found


def _source_row(table: DatasetTable, used: dict[tuple[int, str, str], list[str]]) -> dict[str, Any]:
    return {
        "table": table,
        "call": selectors.source_call(table),
        "readers": sorted(used.get((table.connection_id, table.schema, table.name), [])),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.EDIT)
def transformation_delete(request: OrganizationRequest, name: str) -> HttpResponse:
    """Asks on a page of its own (the way without script), then deletes."""
    row = row_of(request, name)
    readers = selectors.readers_of(row)
    if request.method != "POST":
        context = {"row": row, "readers": readers}
        return render_page(request, "transforms/transformation_delete.html", context)
    try:
        services.delete_transformation(transformation=row, actor=request.actor)
    except DatanikaError as error:
        warn(request, str(error))
        return redirect("transforms:transformation-detail", request.organization.slug, name)
    say(request, _("“%s” is deleted. What it built stays in the warehouse.") % name)
    return redirect("transforms:transformation-list", request.organization.slug)
