"""A page as a person meets it: its words, where its links lead, and what its forms send. One line each."""

import re
from collections import Counter
from html.parser import HTMLParser

_INLINE = {"a", "abbr", "b", "code", "em", "i", "kbd", "small", "span", "strong", "time"}
_SILENT = {"style", "script", "svg"}
_SHOWN = ("aria-label", "data-copy", "data-refresh", "data-src", "open", "placeholder", "maxlength", "required")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._words = ""
        self._silent = 0
        self._drawn = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag in _SILENT:
            self._end()
            self._silent += 1
            if tag == "svg":
                self._note(tag, found, "class", "aria-label")
        elif self._silent and tag == "polyline":
            self.lines.append(f"<line {found['points']}>")
        elif self._silent:
            self._drawn += f" {tag}"
        elif tag == "a":
            self._words += f"[{found['href']}] "
        elif tag == "span" and "state" in found.get("class", ""):
            self._words += f"({found['class'].rpartition('state-')[2]}) "
        elif tag not in _INLINE:
            self._end()
            if tag in ("form", "input", "select", "option", "textarea", "button"):
                self._note(tag, found, "method", "action", "name", "type", "value", "checked", "selected", *_SHOWN)
            elif any(name in found for name in ("aria-busy", "data-refresh", "open")):
                self._note(tag, found, "id", "aria-busy", *_SHOWN)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent -= 1
            shapes = Counter(self._drawn.split())
            self._drawn = ""
            if shapes:
                self.lines.append(" ".join(f"{number} {shape}" for shape, number in sorted(shapes.items())))
        elif tag not in _INLINE:
            self._end()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words += data
        elif self._drawn.endswith(" title") and not data.endswith(" 0 delivered, 0 bounced, 0 complaints"):
            self.lines.append(data)

    def _note(self, tag: str, found: dict[str, str], *names: str) -> None:
        told = [f"{name}={found[name]}" if found[name] else name for name in names if name in found]
        self.lines.append(f"<{' '.join([tag, *told])}>")

    def _end(self) -> None:
        words, self._words = " ".join(self._words.split()), ""
        if words:
            self.lines.append(words)


def read(html: str) -> str:
    """The lines of *html*, without secrets that differ from run to run."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "\n".join(reader.lines)
    text = re.sub(r"(name=form_token type=hidden|name=form_token) value=[^\s>]+", r"\1 value=TOKEN", text)
    return re.sub(r"whsec_[A-Za-z0-9+/=]+", "whsec_SECRET", text)
