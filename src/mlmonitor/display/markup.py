"""HTML fragments for notebooks: no scripts, no styles, and all names escaped."""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from mlmonitor.formatting import truncate

NAME_COLUMNS = 200
"""Longer texts in a cell are truncated."""


def new_fragment(title: str, facts: str) -> ET.Element:
    """Return an element that begins with a bold title, followed by `facts` on the same line."""
    root = ET.Element("div")
    paragraph = ET.SubElement(root, "p")
    ET.SubElement(paragraph, "b").text = truncate(title, NAME_COLUMNS)
    paragraph[-1].tail = f" {facts}" if facts else None
    return root


def add_text(root: ET.Element, text: str) -> None:
    """Add a paragraph."""
    ET.SubElement(root, "p").text = truncate(text, 10 * NAME_COLUMNS)


def add_items(root: ET.Element, items: Iterable[tuple[str, str]]) -> None:
    """Add a list of `items`: pairs of a bold beginning and the text after it."""
    listing = ET.SubElement(root, "ul")
    for start, rest in items:
        item = ET.SubElement(listing, "li")
        ET.SubElement(item, "b").text = truncate(start, NAME_COLUMNS)
        item[-1].tail = f" {truncate(rest, 10 * NAME_COLUMNS)}"


def add_table(root: ET.Element, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Add a table with one header row."""
    table = ET.SubElement(root, "table")
    line = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for name in head:
        ET.SubElement(line, "th").text = name
    body = ET.SubElement(table, "tbody")
    for cells in rows:
        row = ET.SubElement(body, "tr")
        for cell in cells:
            ET.SubElement(row, "td").text = truncate(cell, NAME_COLUMNS)


def to_text(root: ET.Element) -> str:
    """Return the fragment as HTML, with all text escaped."""
    return ET.tostring(root, encoding="unicode", method="html")
