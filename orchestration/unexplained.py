"""Errors that the catalogue does not know, over all organizations: by mark and place, without anybody's data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import psycopg
from django.db.models import Count, Max, Min
from pymysql.constants import CR, ER

from orchestration.explanations import explain
from orchestration.explanations.fingerprints import place_of
from orchestration.models import RunStep, Status

MOST = 200


@dataclass(frozen=True)
class Unexplained:
    """One unknown error. Nothing in it was written by a tenant: no message, no name, no value."""

    fingerprint: str
    code: str
    signature: str
    #: The signature in words of its system (``UndefinedTable``), where there are some.
    meaning: str
    kind: str
    #: Where in the program a traceback ends; empty without one.
    place: str
    count: int
    organizations: int
    first_at: datetime
    last_at: datetime


def unexplained(most: int = MOST) -> list[Unexplained]:
    """The newest first."""
    rows = RunStep.all_organizations.filter(status=Status.FAILED).exclude(fingerprint="")
    groups = rows.values("fingerprint", "error_code", "error_signature", "kind").annotate(
        count=Count("pk"),
        organizations=Count("organization", distinct=True),
        first_at=Min("finished_at"),
        last_at=Max("finished_at"),
        latest_step=Max("pk"),
    )
    unknown = [
        group
        for group in groups.order_by("-last_at")
        if explain(group["error_code"], group["error_signature"], group["kind"]) is None
    ][:most]
    places = _places([group["latest_step"] for group in unknown])
    return [
        Unexplained(
            fingerprint=group["fingerprint"],
            code=group["error_code"],
            signature=group["error_signature"],
            meaning=meaning_of(group["error_signature"]),
            kind=group["kind"],
            place=places.get(group["latest_step"], ""),
            count=group["count"],
            organizations=group["organizations"],
            first_at=group["first_at"],
            last_at=group["last_at"],
        )
        for group in unknown
    ]


def meaning_of(signature: str) -> str:
    """What PostgreSQL or MySQL call the error of this signature; empty where they have no name for it."""
    system, _, mark = signature.partition(":")
    if system == "sqlstate":
        try:
            return psycopg.errors.lookup(mark).__name__
        except KeyError:
            return ""
    if system == "mysql" and mark.isdigit():
        return _mysql_names().get(int(mark), "")
    return ""


def _places(steps: list[int]) -> dict[int, str]:
    rows = RunStep.all_organizations.filter(pk__in=steps, error_signature__startswith="python:")
    return {pk: place_of(detail) for pk, detail in rows.values_list("pk", "error_detail")}


@lru_cache(maxsize=1)
def _mysql_names() -> dict[int, str]:
    return dict(_named_numbers())


def _named_numbers() -> Iterator[tuple[int, str]]:
    for holder in (ER, CR):
        for name, number in vars(holder).items():
            if name.isupper() and isinstance(number, int) and not name.startswith("ERROR_"):
                yield number, name
