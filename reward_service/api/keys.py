"""
API keys: 256 random bits each, of which the service knows only SHA-256 hashes.

A slow hash would gain nothing: there is no dictionary of 256-bit keys. Every stored hash is
compared in constant time, so the time of an answer tells nothing of the keys.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from reward_service.api.refusals import Refusal
from reward_service.settings import BadSettings, Settings

_LINE = re.compile(r"(?:(?P<name>[\w.-]{1,64}):)?sha256:(?P<hash>[0-9a-f]{64})")
_BEARER = HTTPBearer(auto_error=False, description="Only where the service has API keys.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is accepted, known by its hash; the name is for the log."""

    name: str
    hash: str


def new_api_key() -> tuple[str, str]:
    """A fresh key for the caller, and its hash for the settings."""
    key = "rg_" + secrets.token_urlsafe(32)
    return key, f"sha256:{_hash(key)}"


def load_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """The keys of the settings and of their file; raises BadSettings, without quoting a line."""
    keys = [_read(text, f"api_keys: entry {at}") for at, text in enumerate(settings.api_keys, 1)]
    if settings.api_keys_file:
        try:
            text = settings.api_keys_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(f"api_keys_file: cannot be read: {error}") from error
        for at, line in enumerate(text.splitlines(), 1):
            if entry := line.partition("#")[0].strip():
                keys.append(_read(entry, f"api_keys_file: line {at}"))
        if not keys:
            raise BadSettings("api_keys_file: holds no key")
    return tuple(keys)


def _read(text: str, place: str) -> ApiKey:
    match = _LINE.fullmatch(text)
    if match is None:
        raise BadSettings(
            f"{place} is not `sha256:<64 hex digits>`, alone or after `name:`. "
            "`rulegrade keys new` makes one; the key itself does not belong here."
        )
    return ApiKey(match["name"] or match["hash"][:8], match["hash"])


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def find_key(keys: Sequence[ApiKey], presented: str) -> ApiKey | None:
    """The key that `presented` is; takes as long for the first as for none."""
    digest = _hash(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.hash, digest):
            found = key
    return found


async def require_key(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    """Let the request pass if it shows a key, or if the service has none."""
    require_this_key(request, bearer.credentials if bearer else header)


async def require_key_of(request: Request) -> None:
    """`require_key` for those who are not served through FastAPI's dependencies."""
    if request.app.state.keys:
        await require_key(request, await _BEARER(request), await _HEADER(request))


def require_this_key(request: Request, presented: str | None) -> None:
    """Raise Refusal unless `presented` is a key, or the service has none."""
    keys: Sequence[ApiKey] = request.app.state.keys
    if not keys:
        return
    key = find_key(keys, presented) if presented else None
    if key is None:
        message = "Send an API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`."
        headers = {"WWW-Authenticate": "Bearer"}
        raise Refusal(401, "unauthorized", message, headers=headers)
    request.state.key = key.name
    structlog.contextvars.bind_contextvars(key=key.name)


def key_of(request: Request) -> str:
    """The name of the key that was shown; empty where the service has none."""
    return str(getattr(request.state, "key", ""))
