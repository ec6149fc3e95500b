"""Many tiny pipelines and the edges between them, in an installation of its own: they show what the engine costs."""

#: ``given``: {"server": how to reach PostgreSQL, "database", "shapes": {name: [chain length, branches]}, "rows"}.
#: Every pipeline loads one row of SQLite into PostgreSQL; an organization for each shape.
SET_UP = """
import json, sqlite3
from contextlib import closing
from connections import runner
from connections.services import create_connection
from orchestration import services as orchestration
from pipelines.definition import PipelineDefinition, ResourceDefinition
from pipelines.models import Mode, WriteDisposition
from pipelines.services import create_pipeline
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership, Organization, User
given = json.loads('''{given}''')
owner = None
for name, (length, branches) in given["shapes"].items():
    if owner is None:
        organization = services.set_up(
            email="olga@example.com", name="Olga", password="correct horse battery", organization_name=name
        )
        owner = User.objects.get()
    else:
        organization = services.create_organization(name=name, owner=owner)
    actor = Actor.member(Membership.all_organizations.get(organization=organization))
    with closing(sqlite3.connect(runner.files_root(organization) / "one.sqlite")) as connection:
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO one VALUES (1)")
        connection.commit()
    def connect(title, connector, values):
        return create_connection(
            organization=organization, actor=actor, name=title, connector=connector, values=values
        )
    source = connect("One", "sqlite", {{"path": "one.sqlite"}})
    target = connect("To", "postgres", given["server"] | {{"database": given["database"]}})
    for branch in range(branches):
        before = None
        for place in range(length):
            pipeline = create_pipeline(
                organization=organization,
                actor=actor,
                source=source,
                destination=target,
                definition=PipelineDefinition(
                    name=f"b{{branch}} p{{place}}",
                    dataset=f"{{name}}_b{{branch}}_p{{place}}",
                    mode=Mode.SINGLE_TABLE,
                    source_schema="main",
                    resources=(
                        ResourceDefinition(
                            name="one", target="one", write_disposition=WriteDisposition.REPLACE
                        ),
                    ),
                ),
            )
            if before:
                orchestration.add_dependency(
                    organization=organization, actor=actor,
                    upstream=before, downstream=f"pipeline:{{pipeline.slug}}",
                )
            before = f"pipeline:{{pipeline.slug}}"
print(json.dumps([]))
"""

#: Prints a key that may start and read runs of the organization.
API_KEY = """
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership
membership = Membership.all_organizations.get(organization__slug="{slug}")
key, text = services.issue_api_key(
    organization=membership.organization, actor=Actor.member(membership), name="bench", role=membership.role
)
print(text)
"""
