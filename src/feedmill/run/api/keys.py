"""The API key."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http import HTTPStatus

from feedmill.run.api.problems import Refusal

OPEN = "/health/"
"""What needs no key: probes have none."""


class KeyCheck:
    """Lets through who has the key."""

    def __init__(self, api_key: str | None) -> None:
        self._key = None if api_key is None else api_key.encode()

    def __call__(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises Refusal (401) for a request without the key."""
        if self._key is None or path.startswith(OPEN):
            return
        given = [value for name, value in headers if name == b"authorization"]
        if not given:
            raise _refused("a key is needed; send the header `Authorization: Bearer KEY`", "")
        scheme, _, key = given[0].partition(b" ")
        if len(given) > 1 or scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
            raise _refused(
                "the key is wrong; send `Authorization: Bearer KEY` with the server's", ' error="invalid_token"'
            )


def _refused(detail: str, error: str) -> Refusal:
    challenge = f'Bearer realm="feedmill"{"," if error else ""}{error}'
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"www-authenticate": challenge})
