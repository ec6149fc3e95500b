"""The pages of an organization with a million runs, and how long they take. Executed inside an installation."""

import gc
import json
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.test import Client

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
    yield "problems", f"{base}/problems/"
    yield "problems of a week", f"{base}/problems/?p=7d"
    yield "problems of any time", f"{base}/problems/?p=all"
    yield "the commonest problem", f"{base}/problems/{'0' * 16}/"
    yield "alert deliveries", f"{base}/alerts/deliveries/"
    yield "alert deliveries, failed", f"{base}/alerts/deliveries/?status=failed"
    yield "alert rules", f"{base}/alerts/"
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


def measure(user: User, found: Iterator[tuple[str, str]]) -> None:
    """Prints milliseconds of each page as JSON; the first ask (cold caches of the process) is left out."""
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    print(json.dumps({name: _measured(client, url) for name, url in found}))  # noqa: T201


def _measured(client: Client, url: str) -> dict[str, float]:
    walls, processors, databases = [], [], []
    queries: list[float] = []

    def timed(execute: Any, *given: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*given)
        finally:
            queries.append((time.perf_counter() - began) * 1000)

    for attempt in range(REPEATS + 1):
        gc.collect()
        queries.clear()
        wall, processor = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(timed):
            response = client.get(url)
        assert response.status_code == 200, (url, response.status_code)
        assert response.content
        if attempt:
            walls.append((time.perf_counter() - wall) * 1000)
            processors.append((time.process_time() - processor) * 1000)
            databases.append(sum(queries))
    return {
        "p50": statistics.median(walls),
        "p95": p95(walls),
        "cpu": statistics.median(processors),
        "database": statistics.median(databases),
        "queries": len(queries),
    }


def p95(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(math.ceil(len(ordered) * 0.95), len(ordered)) - 1]
