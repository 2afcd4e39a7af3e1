"""Take screenshots of the live page and the report with the demo's claims and their inflation.

Run `python docs/build/screenshots.py` (15 seconds); it needs Chromium and the extra `test`. It
replays the claims in memory at their real dates, opens the page in Chromium, and writes PNG files
to docs/screenshots.
"""

import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
sys.path.insert(0, str(ROOT / "examples" / "fastapi_app"))

import claims  # noqa: E402 - an example is no package
from mlmonitor import Config, Monitor  # noqa: E402
from mlmonitor.testing import ManualClock  # noqa: E402
from train import SeverityModel, train  # noqa: E402

DAY = 86_400.0
BEGIN, END = claims.LIVE[0], date(2016, 6, 1)
ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--hide-scrollbars")
DESKTOP, PHONE = (1280, 1320), (390, 844)
MOST_BYTES = 300_000


class Shot(NamedTuple):
    """A screenshot: the field or section to show, the window's size, and the colour scheme."""

    name: str
    size: tuple[int, int] = DESKTOP
    is_dark: bool = False
    field: str = ""
    section: str = ""


SHOTS = (
    Shot("page-light"),
    Shot("page-dark", is_dark=True),
    Shot("page-phone", size=PHONE),
    Shot("page-field", size=(1280, 900), field="limit"),
    Shot("page-category", size=(1280, 900), field="line"),
    Shot("page-performance", section="Performance"),
    Shot("page-performance-dark", is_dark=True, section="Performance"),
)


def replay(model: SeverityModel, monitor: Monitor, clock: ManualClock) -> None:
    """Predict each claim on the day it was reported, and label it on the day it was closed."""
    inflation = claims.Inflation()
    every = [
        inflation.applied(claim) if claim.reported >= claims.SHIFT_DATE else claim
        for claim in claims.live(claims.load(claims.prism_path()))
    ]
    reported: dict[date, list[int]] = defaultdict(list)
    closed: dict[date, list[int]] = defaultdict(list)
    for number, claim in enumerate(every):
        if claim.reported >= BEGIN:
            reported[claim.reported].append(number)
            closed[claim.closed].append(number)
    day = BEGIN
    while day < END:
        record_day(model, monitor, [(n, every[n]) for n in reported[day]])
        numbers = closed[day]
        monitor.label([str(n) for n in numbers], [every[n].severity for n in numbers])
        monitor.status()
        clock.advance(DAY)
        day += timedelta(days=1)


def record_day(model: SeverityModel, monitor: Monitor, day: list[tuple[int, claims.Claim]]) -> None:
    """Predict and record the claims of one day."""
    if not day:
        return
    columns = {name: [claim.features[name] for _, claim in day] for name in claims.FEATURES}
    severities = model.predict(columns)
    watched = {name: columns[name] for name in claims.WATCHED}
    monitor.record(watched, severities, ids=[str(number) for number, _ in day])
    for limit, severity in zip(columns["limit"], severities, strict=True):
        monitor.kpi("limit_not_used", float(limit) - float(severity))


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    executable = shutil.which("chromium")
    if executable is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


def take(browser: Browser, url: str, shot: Shot) -> None:
    """Open the page and save a screenshot."""
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if shot.is_dark else "light",
    )
    page = context.new_page()
    page.goto(f"{url}?all=1" if shot.field else url)  # calm fields can be opened, too
    if shot.field:
        page.locator("#part-fields a", has_text=shot.field).first.click()
        page.locator("dialog:modal").wait_for()
        page.mouse.move(0, 0)  # nothing is pointed at
    path = FOLDER / f"{shot.name}.png"
    if shot.section:
        page.get_by_role("region", name=shot.section).screenshot(path=path)
    else:
        page.screenshot(path=path, animations="disabled")
    context.close()
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path.name}: {path.stat().st_size:,} bytes")


def main() -> None:
    """Replay the claims, and take all screenshots."""
    model, reference = train()
    clock = ManualClock(datetime(BEGIN.year, BEGIN.month, BEGIN.day, tzinfo=UTC).timestamp())
    config = Config(window_seconds=365 * DAY, cohort_seconds=60 * DAY)
    with Monitor(
        "claims-severity",
        version="7",
        reference=reference,
        exporters=[],
        config=config,
        clock=clock,
        buckets={"limit": [5_000, 10_000, 15_000, 20_000]},
    ) as monitor:
        replay(model, monitor, clock)
        url = monitor.serve(port=0).url
        with open_browser() as browser:
            for shot in SHOTS:
                take(browser, url, shot)
            with tempfile.TemporaryDirectory() as folder:
                report = monitor.report(Path(folder) / "report.html")
                take(browser, report.as_uri(), Shot("report"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    main()
