"""A self-contained HTML page: no script, font or picture from elsewhere; light or dark as read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources


def page(title: str, parts: Sequence[str]) -> str:
    """Returns the page.

    Args:
        title: Plain text, for the browser.
        parts: HTML, in order; empty ones are left out.
    """
    style = resources.files("lepton.report").joinpath("page.css").read_text(encoding="utf-8")
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{style}</style></head><body><main>",
        *parts,
        "</main></body></html>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def section(title: str, content: str) -> str:
    """Returns a card with a heading; nothing if it has no content."""
    return f"<section><h2>{title}</h2>\n{content}</section>" if content else ""


def code(text: str) -> str:
    """Returns lines to copy."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(head: list[str], rows: list[list[str]], numbers: int) -> str:
    """Returns a table whose cells are HTML; `numbers` columns from the second on are figures."""

    def cell(tag: str, index: int, text: str) -> str:
        kind = ' class="number"' if 1 <= index <= numbers else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    def line(tag: str, cells: list[str]) -> str:
        return "<tr>" + "".join(cell(tag, i, text) for i, text in enumerate(cells)) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        f'<div class="scroll"><table><thead>{line("th", head)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def named_values(rows: Sequence[tuple[str, str]]) -> str:
    """Returns a table of names and values; the values are HTML."""
    lines = "".join(f"<tr><th>{escape(key)}</th><td>{value}</td></tr>" for key, value in rows)
    return f'<table class="facts"><tbody>{lines}</tbody></table>'
