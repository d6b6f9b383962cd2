"""An address that somebody else is to open for us is judged as a fetch would judge it, and not dialled."""

import socket

import pytest

from shared.errors import DomainFailed, Rejected
from shared.fetching import Fetcher
from tests.fetching.conftest import PUBLIC, Names, Rerouted


def checker(dial, *answers, sample_site=""):
    return Fetcher("TestBot/1.0", resolve=Names(*answers), dial=dial, sample_site=sample_site)


@pytest.mark.parametrize(
    "url",
    ["http://daily.example/", "https://daily.example/", "https://daily.example:8443/", f"http://{PUBLIC}/"],
)
async def test_a_public_address_passes_and_is_not_dialled(dial, url):
    await checker(dial, [PUBLIC]).check(url)

    assert dial.dialled == []


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://intranet.example/", ["10.0.0.5"]),
        ("http://metadata.example/", ["169.254.169.254"]),
        ("http://both.example/", [PUBLIC, "127.0.0.1"]),
        ("http://six.example/", ["fd00::1"]),
        ("http://127.0.0.1/", [PUBLIC]),
        ("http://[::1]/", [PUBLIC]),
        ("http://daily.example:22/", [PUBLIC]),
    ],
)
async def test_what_a_fetch_would_not_dial_is_blocked(dial, url, addresses):
    with pytest.raises(Rejected) as raised:
        await checker(dial, addresses).check(url)

    assert raised.value.reason == "blocked_address"


async def test_a_name_that_does_not_exist_is_a_failure_of_its_domain(dial):
    with pytest.raises(DomainFailed) as raised:
        await checker(dial, socket.gaierror(socket.EAI_NONAME, "no such name")).check("http://gone.example/")

    assert raised.value.reason == "dns"


async def test_the_sample_site_needs_no_name_server(dial: Rerouted):
    names = Names([PUBLIC])

    await Fetcher("TestBot/1.0", resolve=names, dial=dial, sample_site="127.0.0.1:8605").check("http://daily.test/")

    assert names.asked == []
