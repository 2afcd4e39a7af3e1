"""Check HTML documents: all elements closed, ids unique, no active content."""

from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Document(HTMLParser):
    """Parses a document; `problems` lists what is wrong, and `text` is all its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]
        self.problems += [f"id {i} twice" for i, count in Counter(self.ids).items() if count > 1]

    @property
    def text(self) -> str:
        """All text, with character references resolved."""
        return " ".join(self._texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an opening tag."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.problems.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a self-closing element."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Check that a closing tag matches the element opened last."""
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        """Record text."""
        self._texts.append(data)

    def find_active(self) -> list[str]:
        """Return attributes that would run code or load something from elsewhere."""
        active = []
        for tag, name, value in self.attributes:
            is_remote = name in ("src", "href") and (value or "").lower().startswith(
                ("http:", "https:", "//", "javascript:")
            )
            if name.startswith("on") or name == "style" or is_remote:
                active.append(f"<{tag} {name}={value!r}>")
        return active
