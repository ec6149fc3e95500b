"""The pages of an organization with a million runs, and how long they take. Executed inside an installation."""

import gc
import json
import math
import time
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.test import Client

from orchestration.problems import failures
from tenants.models import Membership, Organization, User

REPEATS = 20


def owner(slug: str) -> User:
    organization = Organization.objects.get(slug=slug)
    user: User = Membership.all_organizations.get(organization=organization).user
    return user


def addresses(slug: str, count: int) -> Iterator[tuple[str, str]]:
    """The lists, as they open and as they are filtered and paged."""
    base = f"/o/{slug}"
    yield "overview", f"{base}/"
    yield "overview, 30 days", f"{base}/?p=30d"
    yield "runs", f"{base}/runs/"
    yield "runs, in the middle", f"{base}/runs/?before={count // 2}"
    yield "runs, failed", f"{base}/runs/?status=failed"
    yield "runs, cancelled in the middle", f"{base}/runs/?status=cancelled&before={count // 2}"
    yield "runs, active", f"{base}/runs/?status=active"
    yield "runs of a pipeline", f"{base}/runs/?target=pipeline:pipeline-7"
    yield "runs of the busiest pipeline", f"{base}/runs/?target=pipeline:pipeline-0"
    yield "runs of a connection", f"{base}/runs/?target=connection:connection-7"
    yield "runs of a person", f"{base}/runs/?person=Mara"
    yield "runs with a text", f"{base}/runs/?q=password"
    yield "runs with a text that nothing has", f"{base}/runs/?q=zebra"
    yield "runs of a week", f"{base}/runs/?period=7d&status=failed"
    yield "pipelines", f"{base}/pipelines/"
    yield "pipelines with a text", f"{base}/pipelines/?q=0999"
    yield "schedules", f"{base}/schedules/"
    yield "connections", f"{base}/connections/"
    yield "transformations", f"{base}/transformations/"


def log_addresses(slug: str, number: int, lines: int) -> Iterator[tuple[str, str]]:
    run = f"/o/{slug}/runs/{number}"
    yield "run page", f"{run}/"
    yield "run page at a line", f"{run}/?line={lines // 2}"
    yield "run page, errors", f"{run}/?level=error"
    yield "older lines", f"{run}/log/?before={lines // 2}"
    yield "lines with a rare text", f"{run}/log/?before={lines}&q=zebra"


def measure(user: User, found: Iterator[tuple[str, str]]) -> dict[str, list[float]]:
    """Milliseconds of each page, the first ask (cold caches of the process) left out."""
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    times: dict[str, list[float]] = {}
    for name, url in found:
        times[name] = []
        for attempt in range(REPEATS + 1):
            started = time.perf_counter()
            response = client.get(url)
            assert response.status_code == 200, (url, response.status_code)
            assert response.content
            if attempt:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def p95(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(math.ceil(len(ordered) * 0.95), len(ordered)) - 1]


def as_json(times: dict[str, list[float]]) -> str:
    rows: dict[str, Any] = {name: p95(values) for name, values in times.items()}
    return json.dumps(rows)
