"""Owns how stores are signed in to: what the environment says, in the forms that Seldon's operator hands over.

Must not log a value, nor read files.

`RCLONE_CONFIG_<REMOTE>_<KEY>` is what Seldon's storage initializer reads; the remote is the scheme of the URI. Where
nothing is set, the libraries of the stores look where they always look.
"""

import os
from collections.abc import Mapping
from typing import Any

from executor.errors import RequestError

_PREFIX, _TYPE = "RCLONE_CONFIG_", "_TYPE"
_KINDS = {"s3": "s3", "google cloud storage": "gs", "gcs": "gs"}
_TRUE = ("1", "t", "true", "yes", "on")
CONNECT_S = 10.0


def remotes(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Schemes that the environment defines."""
    named = (key for key in environment if key.startswith(_PREFIX) and key.endswith(_TYPE))
    return frozenset(key[len(_PREFIX) : -len(_TYPE)].lower() for key in named) - {""}


def store_of(scheme: str, environment: Mapping[str, str] = os.environ) -> tuple[str, dict[str, Any]]:
    """Which kind of store the scheme is of, and what its fsspec file system is made with. Raises RequestError."""
    remote = _Remote(scheme, environment)
    kind = remote.kind or scheme
    if kind == "s3":
        return kind, _s3(remote, environment)
    if kind == "gs":
        return kind, _gcs(remote)
    return kind, {}


class _Remote:
    """The settings of one remote."""

    def __init__(self, scheme: str, environment: Mapping[str, str]) -> None:
        self._prefix = f"{_PREFIX}{scheme.upper()}_"
        self._environment = environment
        told = self.get("TYPE")
        if told and told.lower() not in _KINDS:
            raise RequestError(f"{self._prefix}TYPE {told!r} is not supported; allowed are {', '.join(_KINDS)}")
        self.kind = _KINDS[told.lower()] if told else ""

    def get(self, key: str) -> str:
        """One value; empty where it is not set."""
        return self._environment.get(f"{self._prefix}{key}", "")

    def on(self, key: str) -> bool:
        """Whether a switch is on."""
        return self.get(key).lower() in _TRUE


def _s3(remote: _Remote, environment: Mapping[str, str]) -> dict[str, Any]:
    key = remote.get("ACCESS_KEY_ID") or environment.get("AWS_ACCESS_KEY_ID")
    secret = remote.get("SECRET_ACCESS_KEY") or environment.get("AWS_SECRET_ACCESS_KEY")
    endpoint = remote.get("ENDPOINT") or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    made: dict[str, Any] = {"config_kwargs": {"connect_timeout": CONNECT_S, "retries": {"max_attempts": 1}}}
    if key and secret:
        made |= {"key": key, "secret": secret}
        token = remote.get("SESSION_TOKEN") or environment.get("AWS_SESSION_TOKEN")
        made |= {"token": token} if token else {}
    elif remote.kind and not remote.on("ENV_AUTH"):
        made["anon"] = True  # as rclone has it
    if endpoint or environment.get("S3_ENDPOINT"):
        made["endpoint_url"] = _url(endpoint or environment["S3_ENDPOINT"], environment)
    if remote.get("REGION"):
        made["client_kwargs"] = {"region_name": remote.get("REGION")}
    return made


def _url(endpoint: str, environment: Mapping[str, str]) -> str:
    if "://" in endpoint:
        return endpoint
    secure = environment.get("S3_USE_HTTPS", "1").lower() in _TRUE
    return f"{'https' if secure else 'http'}://{endpoint}"


def _gcs(remote: _Remote) -> dict[str, Any]:
    if remote.on("ANONYMOUS"):
        return {"token": "anon"}
    account = remote.get("SERVICE_ACCOUNT_CREDENTIALS") or remote.get("SERVICE_ACCOUNT_FILE")
    if not account:
        return {}
    import json

    try:
        return {"token": json.loads(account) if account.lstrip().startswith("{") else account}
    except ValueError:
        raise RequestError("RCLONE_CONFIG_..._SERVICE_ACCOUNT_CREDENTIALS is not JSON") from None
