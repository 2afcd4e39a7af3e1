"""Real servers for the integration tests, built once into a cache outside the tree.

`python components/components.py` builds what is missing: `make components`. The cache is
`$COMPONENTS_CACHE`, or else `mlmonitor-components` in the user's own cache folder. A component's
folder there is named after its recipe, so a changed recipe is a new component: the files in its
folder here, and its `revision` below for the way it is built.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
GO_ENVIRONMENT = {
    "GOTOOLCHAIN": "local",  # never fetch another Go
    "GOFLAGS": "-mod=readonly -trimpath",
    "CGO_ENABLED": "0",
}
UNOPTIMISED = "all=-N -l -dwarf=false"  # two thirds of the CPU time to compile
FLAGS = ["-ldflags", "-s -w", "-gcflags", UNOPTIMISED]
PROMETHEUS = "github.com/prometheus/prometheus/cmd/"
KAFKA_STORAGE = "kafka.tools.StorageTool"
NO_DISCOVERY = "netgo,remove_all_sd"  # no cloud's client libraries: a fifth of the time to build


class Component(NamedTuple):
    """A server: the folder of its recipe, its programs, and how they get into a folder."""

    name: str
    revision: int
    programs: tuple[str, ...]
    build: Callable[[Path, Path], None]

    @property
    def folder(self) -> Path:
        """Where it is or will be."""
        recipe = hashlib.sha256(str(self.revision).encode())
        for path in sorted((HERE / self.name).rglob("*")):
            if path.is_file():
                recipe.update(path.read_bytes())
        return cache() / f"{self.name}-{recipe.hexdigest()[:16]}"

    @property
    def is_built(self) -> bool:
        """Whether every program is there."""
        return all((self.folder / program).is_file() for program in self.programs)


def cache() -> Path:
    """The folder that all components are in."""
    named = os.environ.get("COMPONENTS_CACHE", "")
    home = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return Path(named or f"{home}/mlmonitor-components").expanduser()


def program(name: str) -> Path | None:
    """The program of this name, or None where its component has not been built."""
    for component in COMPONENTS:
        if name in component.programs and component.is_built:
            return component.folder / name
    return None


def go(*arguments: str, cwd: Path) -> None:
    """Run Go, with the toolchain that is installed."""
    environment = os.environ | GO_ENVIRONMENT
    subprocess.run(["go", *arguments], cwd=cwd, env=environment, check=True)


def build_prometheus(recipe: Path, into: Path) -> None:
    """Prometheus and promtool, as the sums in go.sum say."""
    packages = [PROMETHEUS + program for program in ("prometheus", "promtool")]
    go("build", "-tags", NO_DISCOVERY, *FLAGS, "-o", f"{into}/", *packages, cwd=recipe)


def build_otelcol(recipe: Path, into: Path) -> None:
    """The Collector: its builder first, and with that what the manifest lists."""
    builder = "go.opentelemetry.io/collector/cmd/builder"
    go("build", *FLAGS, "-o", f"{into}/builder", builder, cwd=recipe / "builder")
    environment = os.environ | GO_ENVIRONMENT | {"GOFLAGS": "-trimpath"}
    with tempfile.TemporaryDirectory() as sources:
        manifest = Path(sources) / "manifest.yaml"
        listed = (recipe / "manifest.yaml").read_text(encoding="utf-8")
        manifest.write_text(
            listed.replace("dist:\n", f"dist:\n  output_path: {sources}/out\n", 1), encoding="utf-8"
        )
        command = [into / "builder", "--config", manifest, "--ldflags=-s -w"]
        command.append(f"--gcflags={UNOPTIMISED}")
        subprocess.run(command, env=environment, check=True)
        shutil.move(f"{sources}/out/otelcol", into / "otelcol")
    (into / "builder").unlink()


def build_compose(recipe: Path, into: Path) -> None:
    """The loader of Docker Compose, which is what `docker compose config` reads a file with."""
    package = "github.com/compose-spec/compose-go/v2/cmd"
    go("build", *FLAGS, "-o", f"{into}/compose-config", package, cwd=recipe)


def build_kafka(recipe: Path, into: Path) -> None:
    """Apache Kafka's jars from Maven Central, and a script for each program."""
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(recipe / "pom.xml", work)
        jars = f"-DoutputDirectory={into}/lib"
        subprocess.run([*command, jars], cwd=work, check=True)
    for name, main_class in (("kafka", "kafka.Kafka"), ("kafka-storage", KAFKA_STORAGE)):
        script = into / name
        script.write_text(
            f'#!/bin/sh\nexec java -Xmx512m -cp "$(dirname "$0")/lib/*" {main_class} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)


def build_grafana_schema(recipe: Path, into: Path) -> None:
    """Grafana's own types of dashboards, from npm, and the compiler that checks files by them."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(recipe / name, into)
    command = ["npm", "ci", "--ignore-scripts", "--no-bin-links", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=into, stdout=subprocess.DEVNULL, check=True)
    script = into / "tsc"
    script.write_text(
        '#!/bin/sh\nexec node "$(dirname "$0")/node_modules/typescript/bin/tsc" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)


COMPONENTS = (
    Component("grafana-schema", 1, ("tsc",), build_grafana_schema),
    Component("kafka", 1, ("kafka", "kafka-storage"), build_kafka),
    Component("prometheus", 2, ("prometheus", "promtool"), build_prometheus),
    Component("otelcol", 2, ("otelcol",), build_otelcol),
    Component("compose", 2, ("compose-config",), build_compose),
)


def build(component: Component) -> None:
    """Build beside the place where it will be, and rename, so that it is there whole or not."""
    folder = component.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix="building-"))
    try:
        component.build(HERE / component.name, new)
        new.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    print(f"{component.name}: built in {time.monotonic() - began:.0f} s, {folder}")


def main() -> None:
    """Build what is missing."""
    if shutil.which("go") is None:
        sys.exit("components: Go is not installed; components/README.md names the version")
    for component in COMPONENTS:
        if component.is_built:
            print(f"{component.name}: present, {component.folder}")
        else:
            build(component)


if __name__ == "__main__":
    main()
