"""One table from PostgreSQL to PostgreSQL as dlt does it unasked: rows as Python objects, INSERT … VALUES.

Runs in the peer's environment; addresses and names come from variables. Prints the seconds of the
run itself, so that the start of Python and the imports do not count against it.
"""

import json
import os
import sys
import time

import dlt
from dlt.sources.sql_database import sql_table


def main() -> None:
    started = time.perf_counter()
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.postgres(os.environ["BENCH_DESTINATION"]),
        dataset_name="raw",
        pipelines_dir=os.environ["BENCH_WORK"],
    )
    source = os.environ["BENCH_SOURCE"].replace("postgresql:", "postgresql+psycopg2:", 1)
    pipeline.run(
        sql_table(credentials=source, table=os.environ["BENCH_TABLE"], write_disposition="replace")
    )
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")


main()
