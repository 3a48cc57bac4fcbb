"""Who may ask: those who have the API key, or, where there is none, programs of this machine."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Sequence
from http import HTTPStatus

from feedmill.run.api.problems import Refusal

OPEN = "/health/"
"""What needs no key: probes have none."""
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::\d*)?")

Headers = Sequence[tuple[bytes, bytes]]


class KeyCheck:
    """Lets through who has the key; without a key, who is no web page that the user of this machine happens to see."""

    def __init__(self, api_key: str | None) -> None:
        self._key = None if api_key is None else api_key.encode()

    def __call__(self, path: str, headers: Headers) -> None:
        """Raises Refusal: 401 for a request without the key; where there is none, 421 and 403 for one of a web page."""
        if path.startswith(OPEN):
            return
        if self._key is None:
            _require_local(headers)
        else:
            _require_key(self._key, headers)


def _require_key(wanted: bytes, headers: Headers) -> None:
    given = _values(headers, b"authorization")
    if not given:
        raise _unauthorized("a key is needed; send the header `Authorization: Bearer KEY`", "")
    scheme, _, key = given[0].partition(b" ")
    if len(given) > 1 or scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), wanted):
        raise _unauthorized(
            "the key is wrong; send `Authorization: Bearer KEY` with the server's", ' error="invalid_token"'
        )


def _require_local(headers: Headers) -> None:
    """A browser sends pages of other sites here too; it says so, and by which name it came."""
    for host in _values(headers, b"host"):
        if not _is_loopback(host.decode("latin-1")):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "misdirected",
                f"without a key requests go to localhost or 127.0.0.1, not to {host[:80].decode('latin-1')!r}; use one"
                " of these, or set FEEDMILL_API_KEY",
            )
    if b"cross-site" in _values(headers, b"sec-fetch-site"):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            "cross-site",
            "without a key no page of another site may ask; ask from your own server, or set FEEDMILL_API_KEY",
        )


def _is_loopback(host: str) -> bool:
    parts = _HOST.fullmatch(host.strip().lower())
    if parts is None:
        return False
    name = parts[1] or parts[2]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _unauthorized(detail: str, error: str) -> Refusal:
    challenge = f'Bearer realm="feedmill"{"," if error else ""}{error}'
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"www-authenticate": challenge})
