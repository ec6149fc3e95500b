"""The box of a child whose code belongs to an attacker: what it reads, changes and uses up.

Children are real, started by the product's own pool in the product's own box.
"""

import contextlib
import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from common.children.box import Box
from common.children.client import Outcome
from connections import runner
from datanika_site.tests.hostile.conftest import CANARY, Attack, needs_landlock
from tenants.models import Organization

pytestmark = pytest.mark.django_db


def code(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome.value
    return str(outcome.error["code"])


def processes() -> int:
    return len(psutil.pids())


def is_calm(before: int) -> bool:
    """Whether the machine has about as many processes as before; other tests may start some."""
    deadline = time.monotonic() + 10
    while processes() > before + 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    return processes() <= before + 30


@needs_landlock
def test_no_environment_but_its_own_is_readable(attack: Attack) -> None:
    pids = (os.getpid(), runner.pool().warm_up().pid, 1)
    paths = [f"/proc/{pid}/{name}" for pid in pids for name in ("environ", "cmdline", "maps")]
    got = attack("read", {"paths": ["/proc/self/environ", *paths]}).value
    assert list(got) == ["/proc/self/environ"]
    assert CANARY not in str(got)
    assert "DATANIKA" not in str(got)


@needs_landlock
def test_no_file_of_the_installation_or_of_others_is_readable(
    attack: Attack, victim: Organization, secrets_on_disk: list[Path]
) -> None:
    others = runner.files_root(victim)
    mine = runner.files_root(attack.organization) / "mine.csv"
    mine.write_text("mine")
    link = runner.files_root(attack.organization) / "link.csv"
    link.symlink_to(others / "uploads" / "people.csv")
    paths = [
        *map(str, secrets_on_disk),
        *("/etc/shadow", "/etc/sudoers", "/tmp", "/var", "/"),
        # The homes, spelt so that no path of one machine stands here.
        *(f"/{name}" for name in ("root", "home")),
        *(str(others), str(others / "uploads"), str(others / "warehouse.duckdb")),
        *(str(others / "uploads" / "people.csv"), str(link), str(mine)),
        str(mine.parent / ".." / str(victim.pk) / "uploads" / "people.csv"),
    ]
    got = attack("read", {"paths": paths}).value
    assert got == {str(mine): "mine"}


@needs_landlock
def test_nothing_outside_can_be_changed(attack: Attack, victim: Organization) -> None:
    target = runner.files_root(victim) / "uploads" / "people.csv"
    assert attack("change", {"target": str(target)}).value == []
    assert target.read_text() == f"name\n{CANARY}\n"
    assert [path.name for path in target.parent.iterdir()] == ["people.csv"]


@needs_landlock
def test_other_processes_are_out_of_reach_and_only_pipes_are_inherited(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)):  # a descriptor of ours that must not be there
        found = attack("look_at_others", {"pids": [os.getpid()]}).value
    assert found["got"] == []
    assert CANARY not in str(found)
    odd = [
        target
        for target in found["fds"].values()
        if not target.startswith("pipe:") and not target.endswith(("/dev/null", "/fd"))
    ]
    # Both ends of the pair that wakes Python for a signal may be sockets.
    assert [target for target in odd if not target.startswith("socket:")] == []
    assert len(found["fds"]) <= 7


@needs_landlock
def test_sockets_of_services_on_this_machine_are_out_of_reach(
    attack: Attack, tmp_path: Path
) -> None:
    abstract = f"@datanika-hostile-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind(abstract.replace("@", "\0"))
        hidden.listen()
        assert attack("connect_unix", {"addresses": [abstract]}).value == []


@pytest.mark.parametrize("flee", [False, True])
@pytest.mark.chaos
def test_a_fork_bomb_ends_with_all_it_started(attack: Attack, flee: bool) -> None:
    before = processes()
    started = time.monotonic()
    outcome = attack("fork_bomb", {"seconds": 30, "flee": flee, "pause": 0.02}, seconds=60)
    assert code(outcome) == "too_many_processes"
    assert time.monotonic() - started < 20
    assert is_calm(before)
    assert attack("nothing").value == "well"


def test_a_child_that_becomes_a_crowd_is_ended_while_another_runs_on(attack: Attack) -> None:
    before = processes()
    spec = {"seconds": 20, "flee": False, "pause": 0.1}
    other = Box(runner.make_private_dir())
    sleeper = runner.pool().spawn("common.tests.child_entries:sleeping", {}, other)
    with contextlib.closing(sleeper):
        outcome = attack("fork_bomb", spec, processes=8)
        assert code(outcome) == "too_many_processes"
        assert psutil.pid_exists(sleeper.pid)
        assert not sleeper.finished
    assert outcome.error is not None
    assert outcome.error["remedy"]
    assert is_calm(before)
    assert attack("nothing").value == "well"


@pytest.mark.chaos
def test_orphans_that_fled_are_ended_too(attack: Attack) -> None:
    before = processes()
    outcome = attack("orphans", {"many": 100, "seconds": 3})
    assert outcome.error is None
    assert is_calm(before)


@pytest.mark.chaos
def test_ten_gigabytes_are_not_to_be_had(attack: Attack) -> None:
    assert code(attack("allocate", {"mb": 10 * 1024}, memory_mb=1024)) == "out_of_memory"
    assert code(attack("allocate", {"mb": 16}, memory_mb=512)) == "out_of_memory"


@pytest.mark.chaos
def test_an_output_on_every_stream_stays_small_here(attack: Attack) -> None:
    before = psutil.Process().memory_info().rss
    outcome = attack("shout", {"mb": 200}, seconds=60)
    assert outcome.error is None
    assert (psutil.Process().memory_info().rss - before) / 2**20 < 60
    assert code(attack("one_line", {"mb": 40})) == "answer_too_large"
