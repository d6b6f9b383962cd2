"""The sample web on a free port, and a client for which every .test host is there."""

import threading
from pathlib import Path

import httpx
import pytest

from local.site.app import make_app
from local.site.server import listen, make_server

SAMPLES = Path(__file__).parents[2] / "samples"


class EveryHostHere(httpx.HTTPTransport):
    """Dials one port for all hosts; the Host header still says which one is meant."""

    def __init__(self, port):
        super().__init__()
        self.port = port

    def handle_request(self, request):
        request.url = request.url.copy_with(host="127.0.0.1", port=self.port)
        return super().handle_request(request)


@pytest.fixture(scope="session")
def port():
    door = listen(0)
    server = make_server(make_app(SAMPLES))
    thread = threading.Thread(target=server.run, args=([door],))
    thread.start()
    yield door.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def web(port):
    with httpx.Client(transport=EveryHostHere(port), timeout=10) as client:
        client.post("http://any.test/control/reset")
        yield client
