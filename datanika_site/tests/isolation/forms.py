"""The forms of a page as a browser would send them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_UNSENT = {"submit", "button", "image", "reset", "file"}


@dataclass
class Control:
    """A field of a form: what it holds, and whatever else it offers."""

    name: str
    kind: str
    values: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)


@dataclass
class Form:
    action: str
    method: str
    controls: dict[str, Control] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, list[str]]:
        """What is sent when nothing is touched."""
        return {name: control.values for name, control in self.controls.items() if control.values}

    def control(self, name: str, kind: str) -> Control:
        return self.controls.setdefault(name, Control(name, kind))


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: Control | None = None
        self._text: Control | None = None

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in given}
        if tag == "form":
            action = attributes.get("action") or self.address
            self._form = Form(action, attributes.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None and tag in ("input", "select", "textarea", "button"):
            self._field(tag, attributes)
        elif tag == "option" and self._select is not None:
            value = attributes.get("value", "")
            self._select.offered.append(value)
            if "selected" in attributes:
                self._select.values.append(value)

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        name, kind = attributes.get("name", ""), attributes.get("type", tag)
        if not name or self._form is None or "disabled" in attributes:
            return
        if tag == "button" or kind in _UNSENT:
            return
        control = self._form.control(name, kind)
        value = attributes.get("value", "")
        if tag == "select":
            self._select = control
        elif tag == "textarea":
            self._text = control
        elif kind in ("checkbox", "radio"):
            control.offered.append(value or "on")
            if "checked" in attributes:
                control.values.append(value or "on")
        else:
            control.values.append(value)

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.values.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select is not None:
            if not self._select.values and self._select.offered:
                # A browser sends the first where none is chosen.
                self._select.values.append(self._select.offered[0])
            self._select = None
        elif tag == "textarea":
            self._text = None


def forms_of(page: str, address: str) -> list[Form]:
    """Every form of the page that is at ``address``."""
    reader = _Reader(address)
    reader.feed(page)
    return reader.forms
