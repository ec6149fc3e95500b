"""Makes the demo organization through the same services as everyone else; what exists stays as it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from connections import runner
from connections import services as connections
from connections.models import Connection
from datanika_site.demo import data
from orchestration import services as orchestration
from orchestration.models import Dependency, Schedule
from pipelines import services as pipelines
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, Pipeline, WriteDisposition
from tenants import services as tenants
from tenants.actors import Actor
from tenants.models import Membership, Organization, User
from transforms import services as transforms
from transforms.models import Transformation
from transforms.services import TransformationDefinition

EMAIL = "demo@example.com"
#: Printed for everyone to use: the demo listens on this machine only.
PASSWORD = "fly-from-new-york"  # noqa: S105
ORGANIZATION = "New York Flights"
MODELS = Path(__file__).parent / "models"
FOLDER = "demo"
WAREHOUSE = "warehouse.duckdb"


@dataclass(frozen=True)
class Demo:
    organization: Organization
    actor: Actor


def build(source_url: str = "") -> Demo:
    """Everything of the demo but its run. Safe to repeat."""
    demo = _organization()
    files = runner.files_root(demo.organization) / FOLDER
    data.copy_files(files)
    if source_url:
        data.make_postgres(source_url)
    else:
        data.make_sqlite(files)
    warehouse = _connection(demo, "Warehouse", "duckdb", {"path": WAREHOUSE}, "both")
    _pipelines(demo, warehouse, source_url)
    _transformations(demo, warehouse)
    _orchestration(demo)
    return demo


def check_connections(demo: Demo) -> None:
    """Try each connection, as a person would before relying on it."""
    for connection in Connection.objects.for_organization(demo.organization):
        connections.check_connection(connection=connection, actor=demo.actor)
    # The servers that follow have warm parents of their own.
    runner.pool().close()


def count_flights(demo: Demo) -> int:
    """How many flights stand in the warehouse, asked of the file itself."""
    path = runner.files_root(demo.organization) / WAREHOUSE
    with duckdb.connect(str(path), read_only=True) as warehouse:
        found = warehouse.execute("SELECT count(*) FROM raw_flights.flights").fetchone()
    return int(found[0]) if found else 0


def _organization() -> Demo:
    user = User.objects.filter(email=EMAIL).first()
    if user is None:
        user = tenants.create_user(email=EMAIL, name="Demo Owner", password=PASSWORD)
        # The first person of an installation operates it as well, as at the first start.
        if User.objects.count() == 1:
            user.is_staff = user.is_superuser = True
            user.save(update_fields=["is_staff", "is_superuser"])
    rows = Membership.all_organizations.select_related("organization", "user")
    membership = rows.filter(user=user, organization__name=ORGANIZATION).first()
    if membership is None:
        organization = tenants.create_organization(
            name=ORGANIZATION, owner=user, time_zone="America/New_York"
        )
        membership = rows.get(user=user, organization=organization)
    return Demo(membership.organization, Actor.member(membership))


def _connection(
    demo: Demo, name: str, connector: str, values: dict[str, Any], use_as: str = "source"
) -> Connection:
    rows = Connection.objects.for_organization(demo.organization)
    return rows.filter(name=name).first() or connections.create_connection(
        organization=demo.organization,
        actor=demo.actor,
        name=name,
        connector=connector,
        values=values,
        use_as=use_as,
    )


def _source(demo: Demo, name: str, schema: str, source_url: str) -> Connection:
    if source_url:
        return _connection(demo, name, "postgres", data.postgres_values(source_url))
    return _connection(demo, name, "sqlite", {"path": f"{FOLDER}/{schema}.sqlite"})


def _pipelines(demo: Demo, warehouse: Connection, source_url: str) -> None:
    csv = {"path": f"{FOLDER}/*.csv", "null_text": data.NULL}
    operations = _source(demo, "Flight operations", data.OPERATIONS, source_url)
    fleet = _source(demo, "Fleet registry", data.FLEET, source_url)
    files = _connection(demo, "Airport and weather files", "csv", csv)
    schema = {name: name if source_url else "main" for name in data.TABLES}
    _pipeline(demo, operations, warehouse, _flights(schema[data.OPERATIONS]))
    _pipeline(demo, fleet, warehouse, _fleet(schema[data.FLEET]))
    _pipeline(demo, files, warehouse, _files())


def _flights(schema: str) -> PipelineDefinition:
    return PipelineDefinition(
        name="Flights",
        description="Every departure of 2013; later runs take only newer hours.",
        dataset="raw_flights",
        mode=Mode.SINGLE_TABLE,
        source_schema=schema,
        resources=(
            ResourceDefinition(
                name="flights",
                target="flights",
                write_disposition=WriteDisposition.MERGE,
                primary_key=("flight_id",),
                cursor_column="time_hour",
            ),
        ),
    )


def _fleet(schema: str) -> PipelineDefinition:
    return PipelineDefinition(
        name="Fleet",
        description="The whole fleet registry, copied as it is.",
        dataset="raw_fleet",
        mode=Mode.FULL_DATABASE,
        source_schema=schema,
    )


def _files() -> PipelineDefinition:
    # One hour has a wind of 1,048 mph: the filter leaves out what cannot be.
    wind = {"column": "wind_speed", "op": "lt", "value": "200"}
    return PipelineDefinition(
        name="Airports and weather",
        description="Two CSV files; weather without impossible or missing wind speeds.",
        dataset="raw_files",
        mode=Mode.FILES,
        resources=(
            ResourceDefinition(name=f"{FOLDER}/airports.csv", target="airports"),
            ResourceDefinition(name=f"{FOLDER}/weather.csv", target="weather", filters=(wind,)),
        ),
    )


def _pipeline(
    demo: Demo, source: Connection, destination: Connection, definition: PipelineDefinition
) -> None:
    rows = Pipeline.objects.for_organization(demo.organization)
    if not rows.filter(name=definition.name).exists():
        pipelines.create_pipeline(
            organization=demo.organization,
            actor=demo.actor,
            source=source,
            destination=destination,
            definition=definition,
        )


def _transformations(demo: Demo, warehouse: Connection) -> None:
    described = yaml.safe_load((MODELS.parent / "models.yml").read_text(encoding="utf-8"))
    rows = Transformation.objects.for_organization(demo.organization)
    known = set(rows.values_list("name", flat=True))
    for name, settings in described.items():
        if name in known:
            continue
        path = MODELS / settings["folder"] / f"{name}.sql"
        definition = TransformationDefinition(
            name=name,
            sql=path.read_text(encoding="utf-8"),
            folder=settings["folder"],
            materialization=settings.get("materialization", "view"),
            schema="staging" if settings["folder"] == "staging" else "marts",
            description=settings["description"],
            tags=tuple(settings.get("tags", ())),
            config=settings.get("config", {}),
            tests=tuple(settings.get("tests", ())),
        )
        transforms.create_transformation(
            organization=demo.organization,
            actor=demo.actor,
            connection=warehouse,
            definition=definition,
        )


def _orchestration(demo: Demo) -> None:
    organization = demo.organization
    if not Dependency.objects.for_organization(organization).exists():
        orchestration.add_dependency(
            organization=organization,
            actor=demo.actor,
            upstream="pipeline:fleet",
            downstream="pipeline:flights",
        )
    if not Schedule.objects.for_organization(organization).exists():
        orchestration.create_schedule(
            organization=organization,
            actor=demo.actor,
            name="Every morning",
            expression="0 6 * * *",
            time_zone="America/New_York",
        )
