"""Checks docker-compose.yml, Dockerfile and .env.example without a Docker engine.

    python scripts/check_compose.py

Prints one sentence a problem and ends with status 1 when there is one. Looks at the form of the
file, at what it promises (health, users, no open database, no default secret) and at whether
what it starts is there.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
Service = Mapping[str, Any]

TOP_LEVEL_KEYS = {"name", "services", "networks", "volumes", "secrets", "configs"}
# Of the Compose specification: what a service of ours may say.
# fmt: off
SERVICE_KEYS = {
    "build", "cap_add", "cap_drop", "command", "configs", "container_name", "cpus", "deploy",
    "depends_on", "entrypoint", "env_file", "environment", "expose", "extra_hosts", "healthcheck",
    "hostname", "image", "init", "labels", "logging", "mem_limit", "networks", "pids_limit",
    "ports", "profiles", "pull_policy", "read_only", "restart", "secrets", "security_opt",
    "shm_size", "stop_grace_period", "stop_signal", "tmpfs", "ulimits", "user", "volumes",
    "working_dir",
}
# fmt: on
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period", "start_interval"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
RESTARTS = {"no", "always", "on-failure", "unless-stopped"}
PUBLISHED = {"web"}
CELERY_COMMANDS = {"worker", "beat"}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|_KEYS?$|TOKEN")
# ${NAME}, ${NAME:-default}, ${NAME:?message}; $$ is a dollar for the shell inside.
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:?[-?])([^}]*))?\}")
DURATION = re.compile(r"(\d+(ms|s|m|h))+")


def main() -> int:
    problems = list(check(ROOT))
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print("docker-compose.yml, Dockerfile and .env.example are in order.")
    return 1 if problems else 0


def check(root: Path) -> Iterator[str]:
    """Every problem of the three files below ``root``, a sentence each."""
    text = (root / "docker-compose.yml").read_text(encoding="utf-8")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"docker-compose.yml is no YAML: {error}"
        return
    services: dict[str, Service] = document.get("services") or {}
    for key in document:
        if key not in TOP_LEVEL_KEYS and not str(key).startswith("x-"):
            yield f"docker-compose.yml: {key} is no key of a Compose file."
    for name, service in services.items():
        for problem in (
            *_form(service, services, document),
            *_promises(name, service),
            *_secrets(service),
            *_command(service.get("command"), root),
        ):
            yield f"docker-compose.yml, service {name}: {problem}"
    yield from _variables(text, root)
    yield from _dockerfile(root)


def _form(
    service: Service, services: Mapping[str, Service], document: Mapping[str, Any]
) -> Iterator[str]:
    for key in service:
        if key not in SERVICE_KEYS:
            yield f"{key} is no key of a service."
    if "image" not in service and "build" not in service:
        yield "it has neither image nor build."
    image = str(service.get("image", ""))
    if "build" not in service and (":" not in image or image.endswith(":latest")):
        yield f"the image {image} names no version."
    if service.get("restart", "no") not in RESTARTS:
        yield f"restart: {service['restart']} is none of {', '.join(sorted(RESTARTS))}."
    for network in service.get("networks", ()):
        if network not in (document.get("networks") or {}):
            yield f"the network {network} is not declared."
    for volume in service.get("volumes", ()):
        source = str(volume).split(":")[0]
        if "/" not in source and source not in (document.get("volumes") or {}):
            yield f"the volume {source} is not declared."
    yield from _dependencies(service, services)
    yield from _health_form(service.get("healthcheck"))


def _dependencies(service: Service, services: Mapping[str, Service]) -> Iterator[str]:
    for name, wish in (service.get("depends_on") or {}).items():
        other, condition = services.get(name), wish.get("condition")
        if other is None:
            yield f"it depends on {name}, which is no service."
        elif condition not in CONDITIONS:
            yield f"depends_on {name}: {condition} is no condition."
        elif condition == "service_healthy" and "healthcheck" not in other:
            yield f"it waits for {name} to be healthy, which has no health check."
        elif condition == "service_completed_successfully" and other.get("restart") != "no":
            yield f"it waits for {name} to end, which is started again and again."


def _health_form(health: Mapping[str, Any] | None) -> Iterator[str]:
    if health is None:
        return
    for key in health:
        if key not in HEALTH_KEYS:
            yield f"{key} is no key of a health check."
    test = health.get("test")
    if not isinstance(test, list) or test[0] not in {"CMD", "CMD-SHELL"} or len(test) < 2:
        yield "the health check's test begins with neither CMD nor CMD-SHELL."
    for key in ("interval", "timeout", "start_period"):
        if key in health and not DURATION.fullmatch(str(health[key])):
            yield f"{key}: {health[key]} is no duration such as 10s."


def _promises(name: str, service: Service) -> Iterator[str]:
    if service.get("ports") and name not in PUBLISHED:
        yield "it publishes a port; only the web server may."
    if service.get("restart") != "no" and "healthcheck" not in service:
        yield "it has no health check."
    user = str(service.get("user", ""))
    if user.split(":")[0] in {"", "0", "root"}:
        yield "it runs as root: name a user."
    if service.get("read_only") is not True:
        yield "its root file system can be written: read_only: true is missing."
    if service.get("cap_drop") != ["ALL"]:
        yield "it keeps capabilities: cap_drop: [ALL] is missing."
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "security_opt: no-new-privileges:true is missing."
    if service.get("privileged") or "docker.sock" in str(service.get("volumes", "")):
        yield "it could take over the machine."


def _secrets(service: Service) -> Iterator[str]:
    for name, value in (service.get("environment") or {}).items():
        for variable, operator, _ in VARIABLE.findall(str(value)):
            if SECRET_NAME.search(variable) and operator != ":?":
                yield f"{variable} has a default or may be empty: write ${{{variable}:?message}}."
        if SECRET_NAME.search(name) and not VARIABLE.fullmatch(str(value)):
            yield f"{name} is written into the file: take it from a variable."
        if re.search(r"://[^/$]*:[^$/@]+@", str(value)):
            yield f"{name} holds a password: take it from a variable."


def _variables(text: str, root: Path) -> Iterator[str]:
    """Every variable is documented in .env.example, and the required ones are empty there."""
    lines = (root / ".env.example").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    used = {name: operator for name, operator, _ in VARIABLE.findall(text)}
    for name, operator in used.items():
        if name not in example:
            yield f".env.example does not name {name}, which docker-compose.yml reads."
        elif operator == ":?" and example[name]:
            yield f".env.example gives {name} a value; a required one must be chosen by everybody."
    for name in sorted(example.keys() - used.keys()):
        yield f".env.example names {name}, which docker-compose.yml does not read."
    code = "".join(
        path.read_text(encoding="utf-8") for path in sorted((root / "datanika_site").glob("*.py"))
    )
    for name in sorted(set(re.findall(r"\bDATANIKA_[A-Z_]+", text)) - {"DATANIKA_BIND"}):
        if name != "DATANIKA_PORT" and f'"{name}"' not in code:
            yield f"docker-compose.yml sets {name}, which no setting reads."


def _command(command: object, root: Path) -> Iterator[str]:
    if command is None:
        return
    if not isinstance(command, list):
        yield "its command is no list, so that a shell would receive the signals."
        return
    words = [str(word) for word in command]
    if words[:2] == ["python", "manage.py"]:
        if words[2] not in _management_commands(root):
            yield f"manage.py has no command {words[2]}."
    elif words[0] == "uvicorn":
        yield from _attribute(words[1], root)
    elif words[0] == "celery":
        application = words[words.index("--app") + 1] if "--app" in words else ""
        yield from _attribute(f"{application}:app", root)
        if not CELERY_COMMANDS & set(words):
            yield "celery is started with neither worker nor beat."
    elif words[0] != "sh":
        yield f"{words[0]} is no program this check knows."


def _attribute(name: str, root: Path) -> Iterator[str]:
    module, _, attribute = name.partition(":")
    path = root / f"{module.replace('.', '/')}.py"
    if not path.is_file():
        yield f"there is no module {module or '(none named)'}."
    elif not re.search(rf"^{attribute}\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE):
        yield f"{module} has no {attribute}."


def _management_commands(root: Path) -> set[str]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings_test")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    import django  # noqa: PLC0415 - needs the path above
    from django.core.management import get_commands  # noqa: PLC0415

    # Without it only Django's own commands are known.
    django.setup()
    return set(get_commands())


def _dockerfile(root: Path) -> Iterator[str]:
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines]
    users = [line[1] for line in words if line[:1] == ["USER"]]
    if not users or not re.fullmatch(r"[1-9]\d*(:\d+)?", users[-1]):
        yield "Dockerfile: the last USER is no number other than 0."
    for line in words:
        if line[:1] == ["FROM"] and (":" not in line[1] or line[1].endswith(":latest")):
            yield f"Dockerfile: {line[1]} names no version."
        if line[:1] == ["CMD"] and not line[1].startswith("["):
            yield "Dockerfile: CMD is not in the exec form, so that a shell receives the signals."
        if line[:1] == ["COPY"] and "--from" not in line[1]:
            for source in line[1:-1]:
                if not (root / source).exists():
                    yield f"Dockerfile: COPY {source}: there is no such file."


if __name__ == "__main__":
    sys.exit(main())
