"""A body for every operation of the API that takes one, as Elsewhere would send it for its own things.

Each of them is accepted as it stands; then every word that names a thing is exchanged for one of Acme's. An operation
that takes a body and is not here fails the suite.
"""

from typing import Any

from datanika_site.tests.isolation.world import OWN

_PIPELINE: dict[str, Any] = {
    "name": "Fresh",
    "source": f"{OWN}-unused",
    "destination": OWN,
    "mode": "single_table",
    "dataset": "fresh",
    "source_schema": "main",
    "resources": [{"name": "a"}],
    "tags": [OWN],
}
_BACKFILL = {
    "pipeline": OWN,
    "resource": "orders",
    "cursor_from": "20",
    "cursor_to": "29",
    "slice_size": "5",
}
_RULE = {
    "name": "Fresh",
    "channels": [OWN],
    "scope": "pipeline",
    "pipeline": OWN,
    "failures_in_a_row": 1,
}
_CONNECTION = {"name": "Fresh", "connector": "duckdb", "config": {"path": f"{OWN}.duckdb"}}

#: ``own``: the number of something of Elsewhere's, filled in by the test.
BODIES: dict[str, Any] = {
    "PATCH:organization-detail": {"name": "Elsewhere"},
    "POST:organization-deletion": {"confirmation": "Elsewhere"},
    "POST:organization-hand-over": {"member": "own member"},
    "POST:connection-list": _CONNECTION,
    "PATCH:connection-detail": {"name": "Other", "config": {"path": f"{OWN}.duckdb"}},
    "POST:connector-check": {"use_as": "both", "config": {"path": f"{OWN}.duckdb"}},
    "POST:pipeline-list": _PIPELINE,
    "PUT:pipeline-detail": _PIPELINE | {"source": f"{OWN}-source", "dataset": f"raw_{OWN}"},
    "PATCH:pipeline-detail": {"description": "Other", "tags": [OWN]},
    "PUT:pipeline-resource-state": {"value": "1"},
    "POST:pipeline-rejects-discard": {"ids": ["1"]},
    "POST:pipeline-estimate": {"tables": ["orders"]},
    "POST:transformation-list": {
        "name": "fresh",
        "sql": f"select * from {{{{ ref('{OWN}') }}}}",
        "connection": OWN,
        "tags": [OWN],
    },
    "PATCH:transformation-detail": {
        "sql": f"select * from {{{{ source('raw_{OWN}', 'orders') }}}}"
    },
    "POST:transformation-compile": {"sql": f"select * from {{{{ ref('{OWN}') }}}}"},
    "POST:transformation-preview": {"sql": f"select * from {{{{ ref('{OWN}') }}}}"},
    "PUT:connection-grant": {"permission": "run"},
    "PUT:pipeline-grant": {"permission": "run"},
    "POST:backfill-list": _BACKFILL,
    "POST:backfill-preview": _BACKFILL,
    "POST:run-list": {"target": f"pipeline:{OWN}"},
    "POST:runs-cancel": {"numbers": ["own run"]},
    "POST:runs-retry": {"numbers": ["own run"]},
    "POST:run-retry": {"from_failure": False},
    "POST:dependency-list": {
        "upstream": f"pipeline:{OWN}",
        "downstream": f"transformation:{OWN}",
    },
    "PATCH:dependency-detail": {"max_age_seconds": 60},
    "PATCH:graph-node": {"rule": "all_succeeded"},
    "POST:schedule-list": {
        "name": "Fresh",
        "cron": "0 3 * * *",
        "time_zone": "UTC",
        "target": f"pipeline:{OWN}",
    },
    "PATCH:schedule-detail": {"target": f"transformation:{OWN}"},
    "POST:alert-rule-list": _RULE,
    "PATCH:alert-rule-detail": _RULE,
    "POST:alert-rule-mute": {"until": None},
    "POST:alert-channel-list": {"name": "Fresh", "kind": "email", "addresses": ["a@example.com"]},
    "PATCH:alert-channel-detail": {"name": "Other", "url": "http://127.0.0.1:9/"},
    "PATCH:member-detail": {"role": "owner"},
    "POST:invitation-list": {"email": "fresh@example.com", "role": "viewer"},
    "POST:api-key-list": {"name": "Fresh", "role": "viewer"},
    "POST:api-key-rotate": {"overlap_days": 0},
}
#: Right, but the two are connected already.
REFUSED = {"POST:dependency-list"}
#: Their bodies hold a file, or name nobody's things.
WITHOUT = {"POST:file-list"}
