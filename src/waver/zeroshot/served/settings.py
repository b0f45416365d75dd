"""Where a server of models is, whether it may be asked, and what to do about its answers' statuses."""

from __future__ import annotations

import os
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from waver.config.section import Section
from waver.errors import WaverError
from waver.workflow.environment import is_here


class ServerSettings(Section):
    """Where the server is, and how it is asked."""

    base_url: str = Field("http://127.0.0.1:8000/v1", description="address up to and with /v1")
    model: str = Field("default", min_length=1, description="name of the model on the server")
    api_key_env: str = Field("", description="environment variable that holds the key; empty: none is sent")
    allow_remote: bool = Field(False, description="whether recordings may be sent to another computer")
    allowed_hosts: tuple[str, ...] = Field((), description="names of the computers that they may be sent to")
    timeout_s: float = Field(120, gt=0, description="seconds to wait for an answer")
    retries: int = Field(6, ge=0, description="further attempts where the server is busy or away; 6 wait a minute")
    backoff_s: float = Field(1, ge=0, description="seconds before the first further attempt; they double each time")
    max_concurrency: int = Field(4, ge=1, description="requests at once")
    logprobs: Literal["auto", "never"] = Field(
        "auto", description="auto: probabilities of tokens are asked for, unless the server rejects that"
    )
    max_tokens: int = Field(10, ge=1, description="most tokens of an answer")
    decisions: bool = Field(
        False, description="openai_text: a typed decision (/v1/systemone), where the server makes them, for chat"
    )


def checked_place(settings: ServerSettings) -> SplitResult:
    """The parts of the address.

    Raises:
        WaverError: it is none, or it is another computer's and not allowed.
    """
    place = urlsplit(settings.base_url)
    if place.scheme not in ("http", "https") or not place.hostname or place.username or place.query:
        raise WaverError(f"base_url is {settings.base_url!r}; give http(s)://host:port/v1, without a key in it")
    host = place.hostname
    allowed = {name.lower() for name in settings.allowed_hosts}
    if not is_here(host) and not (settings.allow_remote and host in allowed):
        raise WaverError(
            f"base_url names {host}, another computer, and recordings of participants stay on this one; serve the "
            "model here, or set allow_remote and name the host in allowed_hosts if their consent covers it"
        )
    return place


def authorisation(variable: str) -> dict[str, str]:
    """The header with the key that an environment variable holds; none where none is named.

    Raises:
        WaverError: it is not in the environment.
    """
    if not variable:
        return {}
    key = os.environ.get(variable, "").strip()
    if not key:
        raise WaverError(f"api_key_env names {variable}, which is not in the environment; set it, or name none")
    return {"Authorization": f"Bearer {key}"}


def remedy(status: int, settings: ServerSettings) -> str:
    """What to do about a status."""
    if status in (401, 403):
        return f"; put a key that it takes into {settings.api_key_env or 'the variable that api_key_env names'}"
    if status == 404:
        return f"; correct base_url, or the model {settings.model!r}"
    if status == 413:
        return "; give it fewer or smaller pictures"
    return "; look into its log" if status >= 400 else ", a redirection, which is not followed; correct base_url"
