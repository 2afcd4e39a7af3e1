"""The live page and the report in a real browser: by mouse, by keyboard and with axe."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from mlmonitor import Monitor
from mlmonitor.present.page import page_source
from support.browsers import CHROMIUM, PHONE, REASON, Visit, open_browser
from support.shown_models import (
    HOSTILE,
    draw_claims,
    hostile_monitor,
    predict,
    shifted_monitor,
    wide_monitor,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason=REASON),
]

SERIOUS = ("serious", "critical")

SMALLEST_TEXT = """Math.min(...[...document.querySelectorAll("main *")]
    .filter((e) => e.checkVisibility()
        && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))
    .map((e) => parseFloat(getComputedStyle(e).fontSize)))"""

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def shifted() -> Iterator[Monitor]:
    """A model whose last twenty minutes have shifted."""
    with shifted_monitor() as monitor:
        yield monitor


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open tabs, and assert at the end of the test that none of them logged a complaint."""
    visits: list[Visit] = []

    def open_tab(url: str, **options: Any) -> Visit:
        visits.append(Visit(browser, url, **options))
        return visits[-1]

    yield open_tab
    for tab in visits:
        tab.close()
        assert tab.complaints == []


def find_violations(tab: Visit) -> list[str]:
    """Return the serious violations that axe finds, with their elements."""
    results = Axe().run(tab.page).response["violations"]
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"
        for violation in results
        if violation["impact"] in SERIOUS
    ]


def test_drift_is_visible_and_leads_to_its_field(shifted: Monitor, visit: Open) -> None:
    """The verdict comes first, a click on a field opens its dialog, and Escape closes it."""
    page = visit(shifted.serve(port=0).url).page
    expect(page.locator(".verdict").first).to_contain_text("Look")
    link = page.locator("#part-fields a", has_text="limit")
    link.click()
    dialog = page.locator("dialog:modal")
    expect(dialog).to_contain_text("times what chance explains")
    assert "limit" in dialog.locator("h2").first.inner_text()
    expect(dialog.locator("figure")).to_have_count(5)
    expect(page).to_have_url(re.compile("field=f-"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()
    expect(page).not_to_have_url(re.compile("field="))


def test_the_page_works_by_keyboard_alone(shifted: Monitor, visit: Open) -> None:
    """`/` filters, `j` and `k` move, Enter opens and Escape closes; the focus is never lost."""
    page = visit(shifted.serve(port=0).url).page
    page.keyboard.press("/")
    page.keyboard.type("CUSTOMER")
    rows = page.locator("#part-fields tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("customer_age")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    expect(page.locator("#part-fields")).to_contain_text("limit")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#part-fields th a").first).to_be_focused()
    page.keyboard.press("Enter")
    heading = page.locator("dialog:modal h2").first
    expect(heading).to_be_visible()
    assert page.locator("#part-fields th a").first.inner_text() in heading.inner_text()
    expect(page).to_have_url(re.compile("field="))
    page.keyboard.press("Escape")
    expect(page.locator("#part-fields th a").first).to_be_focused()
    expect(page).not_to_have_url(re.compile("field="))


def test_fields_without_alerts_can_be_unfolded_and_sorted(shifted: Monitor, visit: Open) -> None:
    """The chosen order is part of the address, so a reload keeps it."""
    page = visit(shifted.serve(port=0).url).page
    page.locator("[data-unfold]").click()
    rows = page.locator("#part-fields tbody tr")
    expect(rows).to_have_count(7)
    by_what_matters = page.locator("#part-fields th a").all_inner_texts()
    page.get_by_label("sort").select_option("name")
    expect(rows.first).to_contain_text("actual")
    by_name = page.locator("#part-fields th a").all_inner_texts()
    assert by_name == sorted(by_what_matters) != by_what_matters
    page.reload()
    expect(rows).to_have_count(7)
    assert page.locator("#part-fields th a").all_inner_texts() == by_name


def test_new_rows_appear_on_the_page_without_a_reload(
    visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next snapshot changes the numbers in the open document."""
    monkeypatch.setattr(page_source, "REFRESH_SECONDS", 0.2)
    with shifted_monitor(minutes=10) as monitor:
        page = visit(monitor.serve(port=0).url).page
        facts = page.locator(".facts")
        expect(facts).to_contain_text("600 predictions")
        page.evaluate("window.isTheSamePage = true")
        claims = draw_claims(np.random.default_rng(0), 50)
        monitor.record(claims, predict(claims))
        expect(facts).to_contain_text("650 predictions")
        assert page.evaluate("window.isTheSamePage")
        page.close()


def test_the_page_says_that_its_service_cannot_be_reached(
    visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the last numbers and labels them as the last ones."""
    monkeypatch.setattr(page_source, "REFRESH_SECONDS", 0.2)
    monitor = shifted_monitor(minutes=10)
    tab = visit(monitor.serve(port=0).url)
    monitor.close()
    expect(tab.page.locator("#live")).to_contain_text("does not answer")
    expect(tab.page.locator(".facts")).to_contain_text("600 predictions")
    assert all("ERR_CONNECTION_REFUSED" in complaint for complaint in tab.complaints)
    tab.complaints.clear()  # the browser logs each refused connection


def test_the_page_is_complete_without_scripts(shifted: Monitor, visit: Open) -> None:
    """Links and the form reload it instead."""
    page = visit(shifted.serve(port=0).url, java_script_enabled=False).page
    page.get_by_label("filter").fill("limit")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("q=limit"))
    expect(page.locator("#part-fields tbody tr")).to_have_count(1)
    assert page.locator("#part-fields th a").all_inner_texts() == ["limit"]
    page.locator("#part-fields a").click()
    expect(page.locator("#detail")).to_contain_text("times what chance explains")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["?all=1", "?q=limit"])
def test_axe_finds_nothing_serious_on_the_page(
    shifted: Monitor, visit: Open, scheme: str, query: str
) -> None:
    """The check covers both colour schemes, with all fields and with a single one."""
    tab = visit(f"{shifted.serve(port=0).url}{query}", scheme=scheme)
    assert find_violations(tab) == []


def test_axe_finds_nothing_serious_in_the_dialog_of_a_field(shifted: Monitor, visit: Open) -> None:
    """Every table of the dialog is open."""
    tab = visit(shifted.serve(port=0).url)
    for name in ("limit", "line"):
        tab.page.locator("#part-fields a", has_text=name).click()
        expect(tab.page.locator("dialog:modal h2")).to_contain_text(name)
        tab.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert find_violations(tab) == []
        tab.page.keyboard.press("Escape")
        expect(tab.page.locator("dialog:modal")).to_have_count(0)


def test_axe_finds_nothing_serious_on_a_phone_before_the_first_row(visit: Open) -> None:
    """The page has no data yet and a narrow screen."""
    with Monitor("m", exporters=[]) as monitor:
        assert find_violations(visit(monitor.serve(port=0).url, size=PHONE)) == []


@pytest.mark.parametrize("query", ["", "?all=1"])
def test_the_page_fits_a_phone_without_sideways_scrolling(
    shifted: Monitor, visit: Open, query: str
) -> None:
    """It has one column and no text smaller than 14 pixels."""
    page = visit(f"{shifted.serve(port=0).url}{query}", size=PHONE).page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    smallest = page.evaluate(SMALLEST_TEXT)
    assert smallest >= 14


def test_hostile_field_names_are_shown_as_text(visit: Open) -> None:
    """No script runs, no dialog opens, and the page does not get wider."""
    with hostile_monitor() as monitor:
        page = visit(f"{monitor.serve(port=0).url}?all=1").page
        expect(page.locator("h1")).to_contain_text(HOSTILE[0])
        for name in (HOSTILE[0], HOSTILE[1], HOSTILE[4]):
            page.locator("#part-fields th a", has_text=name).first.click()
            expect(page.locator("dialog:modal h2").first).to_contain_text(name)
            page.keyboard.press("Escape")
            expect(page.locator("dialog:modal")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert page.evaluate("document.images.length") == 0


def test_the_content_security_policy_blocks_injected_scripts(shifted: Monitor, visit: Open) -> None:
    """An inserted script or style does not take effect."""
    tab = visit(shifted.serve(port=0).url)
    ran = tab.page.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';
        document.body.append(s); return window.ran === 1 }"""
    )
    assert not ran
    assert any("Content Security Policy" in text for text in tab.complaints)
    tab.complaints.clear()


def test_a_report_works_when_opened_from_the_disk(
    shifted: Monitor, visit: Open, tmp_path: Path
) -> None:
    """Its script filters, its links lead to fields, axe finds nothing serious, and it prints."""
    path = shifted.report(tmp_path / "report.html")
    tab = visit(path.as_uri())
    page = tab.page
    assert find_violations(tab) == []
    page.get_by_label("filter").fill("limit")
    expect(page.locator("#fields tbody tr:visible")).to_have_count(1)
    page.locator("#fields tbody tr:visible a").click()
    expect(page).to_have_url(re.compile("#f-"))
    assert len(page.pdf()) > 10_000


def test_a_page_of_five_hundred_fields_can_be_unfolded_and_filtered(visit: Open) -> None:
    """A filter reduces the 501 rows to ten."""
    with wide_monitor(500) as monitor:
        page = visit(f"{monitor.serve(port=0).url}?all=1").page
        rows = page.locator("#part-fields tbody tr")
        expect(rows).to_have_count(501)
        page.get_by_label("filter").fill("feature_01")
        expect(rows).to_have_count(10)
        names = page.locator("#part-fields th a").all_inner_texts()
        assert sorted(names) == [f"feature_{place:03d}" for place in range(10, 20)]
