import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.addresses import special_kind
from shared.errors import DomainFailed, Rejected
from shared.fetching import Fetcher

from .conftest import PUBLIC, Names, Rerouted, http

SPECIAL = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-shared",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.9": "documentation",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::127.0.0.1": "IPv4-compatible",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b:1::a00:1": "NAT64",
    "100::1": "discard",
    "2001:0:7f00:1::": "Teredo",
    "2001:db8::1": "documentation",
    "2001:2::1": "reserved",
    "2002:7f00:1::": "6to4",
    "3fff::1": "documentation",
    "4000::1": "reserved",
    "fc00::1": "unique-local",
    "fd20:ce::254": "unique-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "zoned",
    "2606:4700::1111%eth0": "zoned",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize(("address", "kind"), SPECIAL.items())
def test_an_address_not_everybody_can_reach_has_a_word(address, kind):
    assert special_kind(address) == kind


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_a_public_address_has_none(address):
    assert special_kind(address) is None


@settings(deadline=None)
@given(address=st.ip_addresses())
def test_what_python_calls_not_global_is_never_let_through(address):
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert special_kind(str(address)) is not None


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0x7F.0x0.0x0.0x1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
        "[0:0:0:0:0:0:0:1]",
        "2852039166",
        "169.254.169.254",
        "256.1.1.1",
        "1.2.3.4.5",
        "metadata",
        "metadata.google.internal",
        "printer.local",
    ],
)
async def test_no_spelling_of_an_inner_address_is_dialled(site, spelling):
    dial = Rerouted(site.port)
    fetcher = Fetcher("TestBot/1.0", dial=dial)

    with pytest.raises((Rejected, DomainFailed)) as refused:
        await fetcher.fetch(f"http://{spelling}/")

    assert refused.value.reason in {"blocked_address", "bad_input", "dns"}
    assert not dial.dialled
    await fetcher.aclose()


@pytest.mark.parametrize("host", ["134744072", "0x08080808", "8.8.2056"])
async def test_a_public_address_is_dialled_in_every_spelling_and_never_looked_up(site, dial, host):
    site.answers["/"] = http(b"<p>hello")
    fetcher = Fetcher("TestBot/1.0", resolve=Names(), dial=dial)

    await fetcher.fetch(f"http://{host}/")

    assert dial.dialled == [("8.8.8.8", 80)]
    await fetcher.aclose()


async def test_the_refusal_names_the_host_and_the_kind_of_address(site, fetcher):
    with pytest.raises(Rejected) as refused:
        await fetcher.fetch("http://169.254.169.254/computeMetadata/v1/")

    assert refused.value.reason == "blocked_address"
    assert "169.254.169.254" in refused.value.detail
    assert "link-local" in refused.value.detail


@pytest.mark.parametrize("answers", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "fe80::1%2"]])
async def test_one_inner_address_among_a_names_addresses_refuses_the_name(site, dial, answers):
    fetcher = Fetcher("TestBot/1.0", resolve=Names(answers), dial=dial)

    with pytest.raises(Rejected) as refused:
        await fetcher.fetch("http://mixed.example/")

    assert refused.value.reason == "blocked_address"
    assert "mixed.example" in refused.value.detail
    assert not dial.dialled


async def test_a_rebinding_name_is_asked_once_and_the_checked_address_is_dialled(site, dial):
    site.answers["/"] = http(b"<p>hello")
    names = Names([PUBLIC], ["127.0.0.1"])
    fetcher = Fetcher("TestBot/1.0", resolve=names, dial=dial)

    page = await fetcher.fetch("http://rebinding.example/")

    assert page.body == b"<p>hello"
    assert dial.dialled == [(PUBLIC, 80)]
    assert names.asked == ["rebinding.example"]
    await fetcher.aclose()


async def test_a_name_that_turned_inward_is_refused_when_it_is_dialled_again(site, dial):
    site.answers["/"] = http(b"<p>hello", connection="close")
    fetcher = Fetcher("TestBot/1.0", resolve=Names([PUBLIC], ["127.0.0.1"]), dial=dial)
    await fetcher.fetch("http://rebinding.example/")

    with pytest.raises(Rejected) as refused:
        await fetcher.fetch("http://rebinding.example/")

    assert refused.value.reason == "blocked_address"
    assert dial.dialled == [(PUBLIC, 80)]
    await fetcher.aclose()


@pytest.mark.parametrize("target", ["http://127.0.0.1/", "http://10.0.0.1/", "//[::1]/", "http://0x7f.1:8080/"])
async def test_a_redirect_meets_the_same_guard(site, dial, target):
    site.answers["/"] = http(status="302 Found", location=target)
    fetcher = Fetcher("TestBot/1.0", resolve=by_system_or_public, dial=dial)

    with pytest.raises(Rejected) as refused:
        await fetcher.fetch("http://outside.example/")

    assert refused.value.reason == "blocked_address"
    assert dial.dialled == [(PUBLIC, 80)]
    await fetcher.aclose()


async def by_system_or_public(host):
    if host.endswith(".example"):
        return [PUBLIC]
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, None)]


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 9200])
async def test_a_port_that_serves_no_pages_is_not_dialled(fetcher, dial, port):
    with pytest.raises(Rejected) as refused:
        await fetcher.fetch(f"http://outside.example:{port}/")

    assert refused.value.reason == "blocked_address"
    assert not dial.dialled


async def test_the_sample_site_stands_in_for_test_hosts_and_keeps_their_name(site):
    site.answers["/story"] = http(b"<p>hello")
    fetcher = Fetcher("TestBot/1.0", sample_site=f"127.0.0.1:{site.port}")

    page = await fetcher.fetch("https://daily.test:444/story")

    assert page.final_url == "https://daily.test:444/story"
    assert "Host: daily.test:444\r\n" in site.asked[0]
    await fetcher.aclose()


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://localhost/", "http://test/", "http://x.test.localhost/"])
async def test_the_sample_site_opens_no_other_door(site, url):
    fetcher = Fetcher("TestBot/1.0", sample_site=f"127.0.0.1:{site.port}")

    with pytest.raises((Rejected, DomainFailed)) as refused:
        await fetcher.fetch(url)

    assert refused.value.reason in {"blocked_address", "dns", "dns_down"}
    assert not site.asked
    await fetcher.aclose()


async def test_without_a_sample_site_a_test_host_is_a_name_like_any_other(site, dial):
    fetcher = Fetcher("TestBot/1.0", resolve=Names(["127.0.0.1"]), dial=dial)

    with pytest.raises(Rejected) as refused:
        await fetcher.fetch("http://daily.test/")

    assert refused.value.reason == "blocked_address"
