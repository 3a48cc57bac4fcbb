"""The documentation page: the OpenAPI document for people, in one file that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Feedmill</title><style>
:root { --ink: #1d1f24; --soft: #646b78; --line: #e3e5ea; --ground: #fff; --raised: #f6f7f9; --accent: #5b3df5;
  --get: #0b7a4b; --post: #5b3df5; --put: #a15c00; --patch: #a15c00; --delete: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ee; --soft: #9aa1b0; --line: #2b2e37; --ground: #14151a;
  --raised: #1c1e25; --accent: #a794ff; --get: #4ecb91; --post: #a794ff; --put: #e2a651; --patch: #e2a651;
  --delete: #ff8a80 } }
* { box-sizing: border-box }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 3rem 1.25rem 6rem;
  color: var(--ink); background: var(--ground) }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.02em }
h1 small { font-size: 1rem; font-weight: 400; color: var(--soft); letter-spacing: 0 }
a { color: var(--accent); text-underline-offset: .2em }
code, pre { font: .86em/1.55 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
p code, td code { background: var(--raised); padding: .1em .35em; border-radius: 4px }
nav { columns: 2 17rem; margin: 2rem 0; padding: 1rem 0; border-top: 1px solid var(--line) }
nav a { display: flex; gap: .75rem; padding: .15rem 0; text-decoration: none; color: inherit; break-inside: avoid }
nav a:hover { color: var(--accent) }
section { padding-top: 1.5rem; margin-top: 2.5rem; border-top: 1px solid var(--line) }
h2 { display: flex; gap: .75rem; align-items: baseline; font-size: 1.25rem; margin: 0 0 .75rem }
h2 code, nav code { background: none; padding: 0; overflow-wrap: anywhere }
.method { flex: none; width: 3.6rem; font: 600 .75rem/1.6 ui-monospace, Menlo, monospace }
.GET { color: var(--get) } .POST { color: var(--post) } .PUT { color: var(--put) } .PATCH { color: var(--patch) }
.DELETE { color: var(--delete) }
h3 { font-size: .8rem; font-weight: 600; color: var(--soft); margin: 1.5rem 0 .4rem }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: 0;
  overflow-x: auto; max-height: 26rem }
dl { margin: 0 } dt { margin-top: .6rem } dt small { color: var(--soft) } dd { margin: 0 }
ul { margin: 0; padding: 0; list-style: none; color: var(--soft); font-size: .9rem } li b { color: var(--ink) }
</style></head><body>
"""
_CODE = re.compile("`([^`]*)`")


def make_page(document: Mapping[str, Any]) -> str:
    """HTML of every route, its parameters, and an example of each body."""
    return _HEAD + "\n".join(_lines(document)) + "\n</body></html>\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1><p>{_text(info['description'])}"
    yield 'For programs there is <a href="openapi.json">openapi.json</a>, with all schemas.</p>'
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    links = (
        f'<a href="#{operation["operationId"]}">{_method(method)}<code>{escape(path)}</code></a>'
        for method, path, operation in operations
    )
    yield f"<nav>{''.join(links)}</nav>"
    for method, path, operation in operations:
        yield f'<section id="{operation["operationId"]}"><h2>{_method(method)}<code>{escape(path)}</code></h2>'
        yield from _operation(operation)
        yield "</section>"


def _operation(operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p><b>{_text(operation['summary'])}.</b> {_text(operation['description'])}</p>"
    if operation["parameters"]:
        named = "".join(
            f"<dt><code>{escape(one['name'])}</code> <small>{one['in']}</small></dt>"
            f"<dd>{_text(one['description'])}</dd>"
            for one in operation["parameters"]
        )
        yield f"<dl>{named}</dl>"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body, {escape(kind)}</h3>{_example(body['example'])}"
    refusals = []
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            yield f"<h3>{status} {_text(answer['description'])}</h3>"
            yield from (_example(body["example"]) for body in answer["content"].values())
        else:
            refusals.append(f"<li><b>{status}</b> {_text(answer['description'])}</li>")
    if refusals:
        yield f"<h3>Refused</h3><ul>{''.join(refusals)}</ul>"


def _method(method: str) -> str:
    return f'<span class="method {method}">{method}</span>'


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _example(value: object) -> str:
    shown = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
    return f"<pre>{escape(shown)}</pre>"
