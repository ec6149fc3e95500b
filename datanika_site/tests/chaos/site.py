"""The installation under chaos: servers, web and beats on this side, workers on machines of their own."""

import contextlib
import http.client
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil

from datanika_site.tests.chaos import shop
from datanika_site.tests.chaos.installed import Installed, Tenant
from datanika_site.tests.chaos.machines import Machine
from datanika_site.tests.chaos.processes import wait_until
from datanika_site.tests.chaos.records import Fired, RunRow

FINAL_SECONDS = 150


@dataclass(frozen=True)
class Scheduled:
    slug: str
    first: datetime


class Site(Installed):
    """What machines and people ask of the installation, and what has to be true of it at the end."""

    # ---- asking ---------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        tenant: Tenant | None = None,
        port: int = 0,
    ) -> tuple[int, Any]:
        """The API, as a machine of the tenant; status and JSON."""
        tenant = tenant or self.acme
        headers = {
            "Authorization": f"Bearer {tenant.key}",
            "Content-Type": "application/json",
            "Host": "127.0.0.1",
        }
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        with contextlib.closing(connection):
            url = f"/api/v1/organizations/{tenant.slug}/{path}"
            connection.request(method, url, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            raise AssertionError(f"{method} {path}: {answer.status}\n{self.web.said()}") from None

    def request(self, target: str, *, tenant: Tenant | None = None, port: int = 0) -> int:
        """Queue a run; its number."""
        status, answer = self.call("POST", "runs/", {"target": target}, tenant=tenant, port=port)
        if status != 201:
            raise AssertionError(f"{target}: {status} {answer}")
        return int(answer["number"])

    def request_all(self, slugs: Sequence[str]) -> list[int]:
        return [self.request(f"pipeline:{slug}") for slug in slugs]

    def page(self, path: str, *, post: bool = False) -> tuple[int, str]:
        """A page as Olga sees it in her browser."""
        token = "c" * 32
        headers = {"Host": "127.0.0.1", "Cookie": f"sessionid={self.session}; csrftoken={token}"}
        if post:
            headers |= {"X-CSRFToken": token, "Content-Length": "0"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST" if post else "GET", f"/o/acme/{path}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def retry(self, number: int) -> int:
        status, answer = self.call("POST", f"runs/{number}/retry/", {})
        assert status == 201, answer
        return int(answer["number"])

    def schedule(self, name: str, target: str, cron: str) -> Scheduled:
        """A schedule that owes a run to each due time, whatever happens."""
        body = {"name": name, "target": target, "cron": cron, "missed": "all", "overlap": "queue"}
        status, answer = self.call("POST", "schedules/", body)
        assert status == 201, answer
        return Scheduled(answer["slug"], datetime.fromisoformat(answer["next_run_at"]))

    def end_schedules(self, schedules: Sequence[Scheduled]) -> list[Fired]:
        """Pause them; every minute they owed, and what became of it."""
        while datetime.now(UTC).second < 8:  # a minute just begun may be on its way
            time.sleep(0.5)
        fired = []
        for schedule in schedules:
            status, answer = self.call("POST", f"schedules/{schedule.slug}/pause/")
            assert status == 200, answer
            fired += self.records.fired(self.acme.pk, schedule.slug, schedule.first)
        return fired

    def ring_again(self, numbers: Sequence[int], *, times: int) -> int:
        """Put bells for all steps of these runs into Redis, as often, some of them for later; how many."""
        code = (
            "from orchestration.models import RunStep; from orchestration.tasks import ring;"
            f"rows = RunStep.all_organizations.filter(run__organization_id={self.acme.pk},"
            f" run__number__in={list(numbers)});"
            "ids = list(rows.values_list('pk', flat=True));"
            f"[ring(ids, delay=4 * (n % 2)) for n in range({times})]; print(len(ids) * {times})"
        )
        return int(self.manage("shell", "--no-imports", "-c", code))

    def web_works(self) -> bool:
        try:
            return self.call("GET", "runs/")[0] == 200 and self.page("")[0] == 200
        except (OSError, AssertionError):
            return False

    def log(self, number: int) -> str:
        return self.records.log(self.acme.pk, number)

    def wait_final(
        self,
        numbers: Sequence[int],
        *,
        tenant: Tenant | None = None,
        seconds: float = FINAL_SECONDS,
    ) -> list[RunRow]:
        pk = (tenant or self.acme).pk

        def final() -> bool:
            return all(run.is_final for run in self.records.runs(pk, numbers))

        try:
            wait_until(final, f"the end of runs {list(numbers)}", seconds, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story(numbers, pk)}") from None
        return self.records.runs(pk, numbers)

    def settle(self, seconds: float = FINAL_SECONDS) -> None:
        """Wait until nothing is queued or running."""
        for tenant in (self.acme, self.beta):
            numbers = [run.number for run in self.records.runs(tenant.pk)]
            self.wait_final(numbers, tenant=tenant, seconds=seconds)

    def all_succeeded(self, numbers: Sequence[int]) -> bool:
        """All of them, and every row is there as often as it has to be; raises with the story otherwise."""
        self.wait_final(numbers)
        runs = self.records.runs(self.acme.pk, numbers)
        assert {run.status for run in runs} == {"succeeded"}, self.story(numbers, self.acme.pk)
        assert len(runs) == len(set(numbers)), "a run was lost"
        self.settle()
        self.assert_well()
        return True

    def told(self, numbers: Sequence[int], words: str) -> bool:
        """On the run page, where people look."""
        return all(words in self.page(f"runs/{number}/")[1] for number in numbers)

    def story(self, numbers: Sequence[int], pk: int) -> str:
        """For a failure: what the runs that did not get there say, and the workers."""
        words = []
        for run in self.records.runs(pk, numbers):
            if run.status != "succeeded":
                words.append(f"#{run.number} {run.target} {run.status} {run.error}")
                words.append(self.records.log(pk, run.number))
        for machine in self.machines:
            words += [f"--- {started.name}\n{started.said()}" for started in machine.started]
        return "\n".join(words)

    # ---- the truth ------------------------------------------------------------------------------

    def loads(self) -> Counter[str]:
        """Succeeded runs of each pipeline so far, which is how often its rows have to be there."""
        counts: Counter[str] = Counter()
        for run in self.records.runs(self.acme.pk):
            kind, _, slug = run.target.partition(":")
            if kind == "pipeline" and run.status == "succeeded":
                counts[slug] += 1
        return counts

    def faults(self) -> list[str]:
        """Everything that must not be once all runs have ended; empty when all is well."""
        found = [
            f"run #{run.number} is still {run.status}"
            for tenant in (self.acme, self.beta)
            for run in self.records.runs(tenant.pk)
            if not run.is_final
        ]
        url = self.store.url(shop.WAREHOUSE)
        loads = self.loads()
        found += filter(None, (shop.difference(url, slug, loads[slug]) for slug in shop.EXACT))
        found += [f"left behind in the warehouse: {name}" for name in sorted(shop.strays(url))]
        if leases := self.records.leases():
            found.append(f"{leases} steps whose lease was never given back")
        found += [f"still on a server: {query}" for query in self.queries()]
        for machine in self.machines:
            found += self.left_on(machine)
        return found

    def assert_well(self) -> None:
        """Given a moment: the last child may be on its way out."""
        deadline = time.monotonic() + 8
        while found := self.faults():
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(found))
            time.sleep(0.3)

    def left_on(self, machine: Machine) -> list[str]:
        """Children and their directories."""
        if not machine.is_on:
            return []
        found = [
            f"a child on {machine.name}: {process.pid}"
            for process in machine.processes()
            if _is_child(process)
        ]
        folder = machine.inside() / "tmp"
        if folder.exists():
            found += [f"the directory {path.name} on {machine.name}" for path in folder.iterdir()]
        return found


def _is_child(process: psutil.Process) -> bool:
    """Forked by a warm parent, and not the tracker that Python starts there."""
    try:
        parent = process.parent()
        if parent is None or "resource_tracker" in " ".join(process.cmdline()):
            return False
        return "common.children.warm" in " ".join(parent.cmdline())
    except psutil.Error:
        return False
