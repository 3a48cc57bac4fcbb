"""The documentation page: the OpenAPI document for people, in one file that loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Feedmill</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem } code, pre { font-size: 14px }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } pre { background: #262626 } }
</style></head><body>
"""


def make_page(document: Mapping[str, Any]) -> str:
    """HTML of every route, its parameters, and an example of each body."""
    return _HEAD + "\n".join(_lines(document)) + "\n</body></html>\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
    yield '<p>For programs: <a href="openapi.json">openapi.json</a>, with all schemas.</p>'
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f'<h2 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h2>'
            yield f"<p><b>{escape(operation['summary'])}.</b> {escape(operation['description'])}</p>"
            if operation["parameters"]:
                rows = "".join(
                    f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td>"
                    f"<td>{escape(one['description'])}</td></tr>"
                    for one in operation["parameters"]
                )
                yield f"<table>{rows}</table>"
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                yield f"<p>Body, <code>{escape(kind)}</code>:</p>{_example(body['example'])}"
            for status, answer in operation["responses"].items():
                yield f"<p><b>{status}</b> {escape(answer['description'])}</p>"
                if int(status) < 400:
                    yield from (_example(body["example"]) for body in answer["content"].values())


def _example(value: object) -> str:
    shown = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
    return f"<pre>{escape(shown)}</pre>"
