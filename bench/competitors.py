"""Who takes part: Datanika, the raw references, and other tools."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence

import duckdb

from bench import peers
from bench.destinations import DATABASE, DATASET, Destination
from bench.engine import Engine
from bench.lineitem import TABLE, Lineitem, create_table_sql
from bench.measure import Measured, Processors, Watch
from bench.rounds import Competitor, PeerFailed
from bench.sources import Source, environment_of, fill_postgres
from scripts.services import Server

_PEER_SECONDS = 1800


def datanika(
    engine: Engine, source: Source, destination: Destination, data: Lineitem
) -> Competitor:
    def empty() -> None:
        destination.empty()
        engine.forget()

    def run() -> Measured:
        spec = engine.spec(source.endpoint, destination.endpoint, **source.spec())
        return engine.load(spec).measured

    return Competitor(
        "Datanika", "warm worker", data.rows, empty, run, destination.found, data.fingerprint, True
    )


def raw_duckdb(
    engine: Engine, source: Source, destination: Destination, data: Lineitem
) -> Competitor:
    """One CREATE TABLE … AS or COPY … TO, in a warm child as ours."""
    select = f"SELECT * FROM {source.relation}"  # noqa: S608 - our own relation
    statements = [source.attach] if source.attach else []
    statements += [statement.format(select=select) for statement in destination.write]
    extensions = dict.fromkeys([*source.extensions, *destination.extensions])

    def run() -> Measured:
        return engine.reference(tuple(extensions), statements)

    return Competitor(
        "raw DuckDB",
        duckdb.__version__,
        data.rows,
        destination.empty,
        run,
        destination.found,
        data.fingerprint,
    )


def psql_copy(
    server: Server, destination: Destination, data: Lineitem, form: str = "text"
) -> Competitor:
    """``psql COPY … TO STDOUT | psql COPY … FROM STDIN``: the limit of two servers and a pipe.

    The table is made in the transaction that fills it, the fastest way there is.
    """
    database = fill_postgres(server, data)
    out = ["psql", "-qX", "-d", database, "-c", f"COPY {TABLE} TO STDOUT (FORMAT {form})"]
    into = [*_psql_create(), "-c", f"COPY {DATASET}.{TABLE} FROM STDIN (FORMAT {form})"]
    run = _runner((out, into), environment_of(server), [server.pid])
    name = f"psql COPY | COPY, {form}"
    return Competitor(
        name, _psql(), data.rows, destination.empty, run, destination.found, data.fingerprint
    )


def psql_csv(server: Server, destination: Destination, data: Lineitem) -> Competitor:
    into = [*_psql_create(), "-c", f"\\copy {DATASET}.{TABLE} from '{data.file('csv')}' csv header"]
    run = _runner((into,), environment_of(server), [server.pid])
    return Competitor(
        "psql \\copy",
        _psql(),
        data.rows,
        destination.empty,
        run,
        destination.found,
        data.fingerprint,
    )


def sling(server: Server, destination: Destination, data: Lineitem) -> Competitor | None:
    """Its program itself, without the start of Python around it."""
    home = peers.environment("sling")
    programs = (
        [] if home is None else sorted(home.glob("lib/python*/site-packages/sling_*/bin/sling*"))
    )
    if not programs:
        return None
    database = fill_postgres(server, data)
    environment = {
        **os.environ,
        "BENCH_SOURCE": f"{server.url_of(database)}?sslmode=disable",
        "BENCH_TARGET": f"{server.url_of(DATABASE)}?sslmode=disable",
        "SLING_DISABLE_TELEMETRY": "true",
        "SLING_LOADED_AT_COLUMN": "false",
        "DO_NOT_TRACK": "1",
        "SLING_HOME_DIR": str(home),
    }
    command = [str(programs[0]), "run", "--src-conn", "BENCH_SOURCE", "--src-stream"]
    command += [f"public.{TABLE}", "--tgt-conn", "BENCH_TARGET"]
    command += ["--tgt-object", f"{DATASET}.{TABLE}", "--mode", "full-refresh"]
    run = _runner((command,), environment, [server.pid])
    return Competitor(
        "Sling",
        peers.version_of("sling"),
        data.rows,
        destination.empty,
        run,
        destination.found,
        data.fingerprint,
    )


def dlt_default(
    engine: Engine, server: Server, destination: Destination, data: Lineitem
) -> Competitor | None:
    """Timed from behind its imports, which a worker would have done before."""
    home = peers.environment("dlt")
    if home is None:
        return None
    work = engine.work / "dlt"
    environment = {
        **os.environ,
        "BENCH_SOURCE": server.url_of(fill_postgres(server, data)),
        "BENCH_DESTINATION": server.url_of(DATABASE),
        "BENCH_TABLE": TABLE,
        "BENCH_WORK": str(work),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
    }
    command = [str(home / "bin" / "python"), str(peers.HERE / "dlt_default.py")]

    def empty() -> None:
        destination.empty()
        shutil.rmtree(work, ignore_errors=True)

    run = _runner((command,), environment, [server.pid], _seconds_said)
    return Competitor(
        "dlt, its defaults",
        peers.version_of("dlt"),
        data.rows,
        empty,
        run,
        destination.found,
        data.fingerprint,
    )


def _psql() -> str:
    done = subprocess.run(["psql", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


def _psql_create() -> list[str]:
    create = create_table_sql(f"{DATASET}.{TABLE}")
    command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-1", "-d", DATABASE]
    return [*command, "-c", f"CREATE SCHEMA {DATASET}", "-c", create]


def _seconds_said(output: str) -> float:
    return float(json.loads(output.splitlines()[-1])["seconds"])


def _runner(
    pipeline: Sequence[list[str]],
    environment: dict[str, str],
    servers: list[int],
    seconds_of: Callable[[str], float] | None = None,
) -> Callable[[], Measured]:
    """Programs joined by pipes, as one run. ``seconds_of`` reads the time from what the last one printed."""

    def run() -> Measured:
        processors = Processors(os.getpid(), servers)
        started = time.perf_counter()
        processes: list[subprocess.Popen[bytes]] = []
        for command in pipeline:
            before = processes[-1].stdout if processes else subprocess.DEVNULL
            process = subprocess.Popen(
                command,
                stdin=before,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
            if processes and processes[-1].stdout:
                processes[-1].stdout.close()
            processes.append(process)
        with Watch([process.pid for process in processes]) as watch:
            output, words = processes[-1].communicate(timeout=_PEER_SECONDS)
            for process in processes[:-1]:
                words += process.stderr.read() if process.stderr else b""
                process.wait(_PEER_SECONDS)
                if process.stderr:
                    process.stderr.close()
            seconds = time.perf_counter() - started
        if any(process.returncode for process in processes):
            raise PeerFailed((words or output).decode(errors="replace").strip()[-500:])
        if seconds_of is not None:
            seconds = seconds_of(output.decode())
        client, server = processors.used()
        return Measured(seconds, client, server, watch.peak_mb)

    return run
