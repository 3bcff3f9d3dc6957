"""A page of a shop, as a browser reads it: links, forms and schema.org properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


class ShopMisbehaved(Exception):
    """The shop answered otherwise than a shop should; the message names the page and the status."""


@dataclass
class Form:
    """An HTML form with the fields it was delivered with."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, set[str]] = field(default_factory=dict)


class Page(HTMLParser):
    """The parts of a page that a shopper uses: links, forms and schema.org properties."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.properties: dict[str, str] = {}
        self._form: Form | None = None
        self._select: str | None = None
        self._text_of: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if name := given.get("itemprop"):
            if (value := given.get("content", given.get("value"))) is not None:
                self.properties[name] = value
            else:
                self._text_of = name
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is not None:
            self._read_control(tag, given)

    def _read_control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        name = given.get("name", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._form.choices.setdefault(self._select, set()).add(given["value"])
            if "selected" in given or self._select not in self._form.fields:
                self._form.fields[self._select] = given["value"]
        elif tag in {"input", "textarea"} and name:
            self._form.fields[name] = given.get("value", "")
        elif tag == "button" and name:
            self._form.choices.setdefault(name, set()).add(given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text_of and data.strip():
            self.properties.setdefault(self._text_of, data.strip())
            self._text_of = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def form(self, action: str) -> Form:
        """The form that posts to the given path, or whose path begins with it if it ends in '*'."""
        for form in self.forms:
            if form.action == action or (action[-1] == "*" and form.action.startswith(action[:-1])):
                return form
        raise ShopMisbehaved(
            f"no form posts to {action}; there are {[f.action for f in self.forms]}"
        )
