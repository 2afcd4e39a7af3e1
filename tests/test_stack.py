"""The compose file of the examples refers only to what exists, and opens no port to others."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlmonitor.cli.main import _make_parser
from mlmonitor.present.dashboards.shipped_files import render_files, write_files
from support.backends import program

ROOT = Path(__file__).parents[1]
STACK = ROOT / "examples" / "stack"
COMPOSE: dict[str, Any] = yaml.safe_load((STACK / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICE_KEYS = {
    *("image", "build", "restart", "user", "command", "entrypoint", "environment", "volumes"),
    *("ports", "healthcheck", "depends_on"),
}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


def test_every_service_has_an_image_and_only_known_keys() -> None:
    """The keys are those of the compose specification that are used here."""
    assert COMPOSE.keys() == {"name", "x-python", "x-database", "services", "volumes"}
    for name, service in SERVICES.items():
        assert service.keys() <= SERVICE_KEYS, name
        assert service["image"], name
        for key in ("command", "entrypoint"):
            assert isinstance(service.get(key, ""), str | list)
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())


def test_services_wait_only_for_services_that_exist() -> None:
    """A service that must be healthy has a health check; one that must end is not restarted."""
    for name, service in SERVICES.items():
        waits = service.get("depends_on", {})
        for other, how in waits.items() if isinstance(waits, dict) else ((o, {}) for o in waits):
            assert other in SERVICES, (name, other)
            condition = how.get("condition", "service_started")
            assert condition in CONDITIONS
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            if condition == "service_completed_successfully":
                assert SERVICES[other].get("restart", "no") == "no"


def test_every_volume_and_file_of_the_stack_exists() -> None:
    """Named volumes are declared and used, and files exist in the folder."""
    used = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (STACK / source).is_file(), source
            else:
                used.add(source)
    assert used == COMPOSE["volumes"].keys()
    build = SERVICES["service"]["build"]
    assert (STACK / build["context"] / build["dockerfile"]).is_file()
    for line in (STACK / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / source).exists() for source in line.split()[1:-1]), line


def test_ports_of_the_stack_are_bound_to_this_machine() -> None:
    """A demonstration with known passwords must not be reachable from the network."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_grafana_gets_every_variable_that_its_files_use() -> None:
    """Data sources refer to them."""
    texts = {path.as_posix(): text for path, text in render_files("grafana", naming="prometheus")}
    asked = set(re.findall(r"\$(MLMONITOR_\w+)", texts["provisioning/datasources/mlmonitor.yml"]))
    assert asked == {name for name in SERVICES["grafana"]["environment"] if "MLMONITOR" in name}
    mounted = "/var/lib/grafana/dashboards/mlmonitor"
    environment = SERVICES["grafana"]["environment"]
    for name in ("GF_PATHS_PROVISIONING", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"):
        path = environment[name].removeprefix(f"{mounted}/")
        assert any(text.startswith(path) for text in texts), name
    for provider in yaml.safe_load(texts["provisioning/dashboards/mlmonitor.yml"])["providers"]:
        assert provider["options"]["path"].startswith(f"{mounted}/")


def test_the_stack_runs_only_commands_that_the_library_has() -> None:
    """The library's parser accepts their options."""
    commands = []
    for service in SERVICES.values():
        command = service.get("command", "")
        text = command if isinstance(command, str) else " ".join(command)
        commands += re.findall(r"mlmonitor [^&]+", text)
    assert len(commands) == 5
    for command in commands:
        _make_parser().parse_args(shlex.split(command)[1:])


def test_the_stack_uses_the_event_topic_of_the_library() -> None:
    """The topic of dead letters is created as well."""
    (_, _, script) = SERVICES["topic"]["entrypoint"]
    assert "mlmonitor.events mlmonitor.events.dead-letters" in script


@pytest.mark.integration
def test_docker_compose_accepts_the_file() -> None:
    """Docker Compose's own schema validates it."""
    command = [program("compose-config"), STACK / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=STACK)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)
    assert resolved["services"].keys() == SERVICES.keys()
    assert resolved["services"]["topic"]["entrypoint"][2].count("$name") == 1


@pytest.mark.integration
def test_every_configuration_of_the_stack_is_accepted_by_its_program(tmp_path: Path) -> None:
    """The validators of Prometheus and of the Collector check their files with the rules."""
    write_files("alerts", tmp_path / "rules")
    text = (STACK / "config" / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    promtool = [program("promtool"), "check", "config", "--lint=all", "--lint-fatal"]
    subprocess.run([*promtool, tmp_path / "prometheus.yml"], check=True)
    collector = f"--config={STACK}/config/collector.yaml"
    subprocess.run([program("otelcol"), "validate", collector], check=True)
