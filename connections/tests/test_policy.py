"""What a path or host may not do, tried as an attacker would."""

import os
from pathlib import Path

import pytest

from common.errors import NotFound, UserError
from connections import policy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An organization's directory with a neighbour's beside it."""
    mine, other = tmp_path / "mine", tmp_path / "mine-too"
    (mine / "weather" / "2026").mkdir(parents=True)
    other.mkdir()
    (mine / "airports.csv").write_text("id\n1\n")
    (mine / "weather" / "b.csv").write_text("id\n1\n")
    (mine / "weather" / "a.csv").write_text("id\n1\n")
    (mine / "weather" / "2026" / "c.csv").write_text("id\n1\n")
    (mine / "weather" / ".hidden.csv").write_text("id\n1\n")
    (other / "secret.csv").write_text("id\n1\n")
    (mine / "out.csv").symlink_to(other / "secret.csv")
    (mine / "outside").symlink_to(other)
    (mine / "inside.csv").symlink_to(mine / "airports.csv")
    os.mkfifo(mine / "pipe.csv")
    return mine


def test_paths_below_the_root_resolve_to_what_they_are(root: Path) -> None:
    real = (root / "airports.csv").resolve()
    assert policy.resolve_path("airports.csv", files_root=root) == real
    assert policy.resolve_path(" inside.csv ", files_root=root) == real
    assert policy.resolve_path(str(real), files_root=root) == real
    new = policy.resolve_path("new.duckdb", files_root=root, must_exist=False)
    assert new == root.resolve() / "new.duckdb"
    allowed = policy.resolve_path(
        str(root.parent / "mine-too" / "secret.csv"),
        files_root=root,
        allowed_roots=[root.parent / "mine-too"],
    )
    assert allowed.name == "secret.csv"
    with pytest.raises(NotFound) as missing:
        policy.resolve_path("nothing.csv", files_root=root)
    assert missing.value.field == "path"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "../mine-too/secret.csv",
        "weather/../../mine-too/secret.csv",
        "weather\\..\\secret.csv",
        "out.csv",
        "outside/secret.csv",
        "outside/new.csv",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "file:/etc/passwd",
        "http://169.254.169.254/latest",
        "s3://bucket/key",
        "/etc/passwd",
        "//etc/passwd",
        "~/secret.csv",
        "/proc/self/environ",
        "/dev/zero",
        "pipe.csv",
        "airports.csv\0.parquet",
    ],
)
@pytest.mark.parametrize("must_exist", [True, False])
def test_hole_05_paths_that_lead_elsewhere_are_refused(
    root: Path, path: str, must_exist: bool
) -> None:
    with pytest.raises(UserError) as refused:
        policy.resolve_path(path, files_root=root, must_exist=must_exist)
    assert refused.value.field == "path"
    assert refused.value.remedy
    assert str(root) not in str(refused.value), "a message must not give the server's layout away"


def test_system_directories_stay_closed_even_below_an_allowed_root(root: Path) -> None:
    for path in ("/proc/self/environ", "/dev/null", "/sys/kernel"):
        with pytest.raises(UserError, match="outside"):
            policy.resolve_path(path, files_root=root, allowed_roots=[Path("/")])


def test_patterns_name_sorted_files(root: Path) -> None:
    def names(pattern: str) -> list[str]:
        files = policy.expand_glob(pattern, files_root=root)
        return [policy.display_path(file, root) for file in files]

    assert names("weather/*.csv") == ["weather/a.csv", "weather/b.csv"]
    assert names("weather/**/*.csv") == ["weather/2026/c.csv", "weather/a.csv", "weather/b.csv"]
    assert names("air*.csv") == ["airports.csv"]
    assert names("airports.csv") == ["airports.csv"]
    (root / "a[1].csv").write_text("id\n1\n")
    assert names("a[1].csv") == ["a[1].csv"]
    with pytest.raises(NotFound, match="No file matches"):
        names("*.parquet")


@pytest.mark.parametrize(
    "pattern", ["out*.csv", "outside/*", "/etc/*", "../mine-too/*", "o*/*.csv"]
)
def test_patterns_that_reach_outside_are_refused(root: Path, pattern: str) -> None:
    with pytest.raises(UserError) as refused:
        policy.expand_glob(pattern, files_root=root)
    assert refused.value.field == "path"
    assert str(root) not in str(refused.value)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2852039166",  # 169.254.169.254 as one number, which the resolver understands
        "169.254.1.1",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",  # noqa: S104
        "::",
        "255.255.255.255",
        "/var/run/postgresql",
        "@socket",
        "localhost,169.254.169.254",
        "user@localhost",
        "http://localhost",
        "local host",
        "",
        "no-such-host.invalid",
    ],
)
@pytest.mark.parametrize("egress", ["private-allowed", "public-only"])
def test_hole_06_addresses_nobody_may_dial(host: str, egress: str) -> None:
    with pytest.raises(UserError) as refused:
        policy.resolve_host(host, 5432, egress=egress)
    assert refused.value.field == "host"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "100.64.0.1"]
)
def test_private_addresses_follow_the_egress_policy(host: str) -> None:
    assert policy.resolve_host(host, 5432, egress="private-allowed")
    for closed in ("public-only", "misspelt"):
        with pytest.raises(UserError, match="private address"):
            policy.resolve_host(host, 5432, egress=closed)


def test_public_addresses_are_dialled_as_they_are() -> None:
    assert policy.resolve_host("8.8.8.8", 5432, egress="public-only") == "8.8.8.8"
    assert policy.resolve_host("2001:4860:4860::8888", 1, egress="public-only").startswith("2001:")
