"""No job and no command asks another computer for anything, whatever the user's environment and the libraries say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from checkout import ROOT

WISHES = {
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_DATASETS_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "0",
    "PYANNOTE_METRICS_ENABLED": "true",
    "OTEL_SDK_DISABLED": "false",
    "DO_NOT_TRACK": "0",
    "ORT_DISABLE_TELEMETRY": "0",
}
"""What a user's environment may ask of libraries."""
WATCHED = """
import sys
asked = []
def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        asked.append(event)
        raise OSError("a request")
sys.addaudithook(note)
"""
HUB = (
    WATCHED
    + """
import waver.workflow.job
from huggingface_hub import HfApi, constants, hf_hub_download
def ask():
    for call in (lambda: HfApi().model_info("nobody/a-model"), lambda: hf_hub_download("nobody/a-model", "a")):
        try:
            call()
        except Exception:
            continue
        raise SystemExit("a model that is nowhere was found")
ask()
assert asked == [], asked
constants.HF_HUB_OFFLINE = False
ask()
assert asked, "what counts requests sees none"
"""
)
TELEMETRY = (
    WATCHED
    + """
import importlib, os
import waver.workflow.job
from pyannote.audio import Model
from pyannote.audio.telemetry import metrics
metrics.track_model_init(Model)
assert metrics.provider.force_flush()
assert asked == [], asked
os.environ |= {"OTEL_SDK_DISABLED": "false", "PYANNOTE_METRICS_ENABLED": "true"}
importlib.reload(metrics)
metrics.track_model_init(Model)
metrics.provider.force_flush()
assert asked, "what counts requests sees none"
"""
)
REFUSED = """
import socket, sys
from waver.workflow.job import close_network
from waver.workflow.environment import open_network
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
socket.create_connection(("localhost", server.getsockname()[1])).close()
here, there = socket.socketpair()
here.send(b"x")
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asks = [
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.create_connection(("hub.invalid", 80), timeout=1),
    lambda: datagram.sendto(b"x", ("192.0.2.1", 9)),
    lambda: socket.gethostbyname("hub.invalid"),
]
for ask in asks:
    try:
        ask()
    except ConnectionRefusedError as error:
        assert "Waver uses no network here" in str(error)
    else:
        raise SystemExit("not refused")
open_network()
try:
    socket.gethostbyname("hub.invalid")
except OSError as error:
    assert "Waver uses no network here" not in str(error), error
"""
COMMANDS_REFUSED = """
import socket, sys, types
from waver import cli
def main(arguments):
    try:
        socket.create_connection(("hub.invalid", 80), timeout=1)
    except ConnectionRefusedError as error:
        return 0 if "Waver uses no network here" in str(error) else 4
    except OSError:
        return 3
sys.modules["a_command"] = types.SimpleNamespace(main=main)
for name in cli.COMMANDS:
    cli.COMMANDS[name] = ("a_command", "")
    ended = cli.main([name])
    assert ended == 0, (name, ended)
"""


def _run(program: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | WISHES | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "program",
    [pytest.param(HUB, marks=pytest.mark.slow), REFUSED, COMMANDS_REFUSED],
    ids=["hub", "other computers", "commands"],
)
def test_a_job_or_command_asks_no_other_computer(program):
    ran = _run(program)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_what_whisperx_is_made_of_reports_nothing():
    ran = _run(TELEMETRY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
