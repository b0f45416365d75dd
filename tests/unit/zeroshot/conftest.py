"""Servers on this computer that are asked."""

import threading

import pytest

from chat_stub import Stub


@pytest.fixture
def serve():
    """Makes a server of a function, see ``Stub``."""
    servers = []

    def make(answer):
        server = Stub(answer)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
