import string
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Rejected
from shared.urls import domain, normalise, parse


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("ftp://example.com/a", "http and https"),
        ("javascript:alert(1)", "http and https"),
        ("file:///etc/passwd", "http and https"),
        ("//example.com/a", "http and https"),
        ("example.com/a", "http and https"),
        ("", "http and https"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("https://user:secret@example.com/", "user name or password"),
        ("https://user@example.com/", "user name or password"),
        ("http://example.com/" + "a" * 2083, "at most 2083"),
        ("http://exa mple.com/", "percent-encode"),
        ("http://example.com/a\r\nHost: evil", "percent-encode"),
        ("http://good.com\\@evil.com/", "percent-encode"),
        ("http://example.com/\x00", "percent-encode"),
        ("http://example.com:99999/", "Port 99999"),
        ("http://example.com:http/", "not a URL"),
        ("http://xn--zzzz9999é/", "not a URL"),
        ("http://exa%6dple.com/", "not a host name"),
        ("http://.example.com/", "not a host name"),
        ("http://a..b/", "not a host name"),
        ("http://" + "a" * 64 + ".com/", "not a host name"),
        ("http://[::1", "not a URL"),
    ],
)
def test_a_url_that_cannot_be_fetched_says_what_to_do(url, hint):
    with pytest.raises(Rejected) as refused:
        parse(url)

    assert refused.value.reason == "bad_input"
    assert hint in refused.value.detail


def test_the_refusal_of_a_password_does_not_repeat_it():
    with pytest.raises(Rejected) as refused:
        parse("https://user:hunter2@example.com/")

    assert "hunter2" not in refused.value.detail


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.Example.COM/a", "example.com"),
        ("https://news.example.com:8443/a", "news.example.com"),
        ("http://München.de/ä", "xn--mnchen-3ya.de"),
        ("http://example.com./", "example.com"),
        ("http://[2606:4700::1111]/", "2606:4700::1111"),
        ("http://[2606:4700:0:0::1111]/", "2606:4700::1111"),
    ],
)
def test_the_domain_is_one_key_per_site(url, expected):
    assert domain(url) == expected


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("https://example.com./a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com.:8080/", "http://example.com:8080/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
    ],
)
def test_a_hosts_final_dot_is_dropped_for_no_certificate_is_made_out_to_it(url, parsed):
    assert str(parse(url)) == parsed


@pytest.mark.parametrize(
    ("spelling", "same"),
    [
        ("HTTP://Example.COM:80/a#part", "http://example.com/a"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com/a?b=2&a=1", "https://example.com/a?a=1&b=2"),
        ("https://example.com/a?utm_source=x&id=7&UTM_Medium=y", "https://example.com/a?id=7"),
        ("https://example.com/a?fbclid=1&gclid=2&mc_cid=3&mc_eid=4", "https://example.com/a"),
        ("https://example.com/a?", "https://example.com/a"),
        ("https://example.com/x/../a", "https://example.com/a"),
        ("https://example.com/caf%c3%a9", "https://example.com/café"),
        ("https://münchen.de/", "https://xn--mnchen-3ya.de/"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://example.com/a?%75tm_source=x&UTM%5Fmedium=y", "https://example.com/a"),
        ("https://example.com/a#!", "https://example.com/a"),
        ("https://Example.com:443#!/story/1", "https://example.com/#!/story/1"),
        ("https://[2606:4700:0:0::1111]/a", "https://[2606:4700::1111]/a"),
    ],
)
def test_spellings_of_one_page_are_one(spelling, same):
    assert normalise(spelling) == normalise(same)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a?id=1", "https://example.com/a?id=2"),
        ("https://example.com/a", "https://example.com/A"),
        ("https://example.com/a", "https://example.com:8443/a"),
        ("https://example.com/a?gclidx=1", "https://example.com/a"),
        ("https://example.com/a%2Fb", "https://example.com/a/b"),
        ("https://example.com/#!/story/1", "https://example.com/#!/story/2"),
        ("https://example.com/#!/story/1", "https://example.com/"),
    ],
)
def test_different_pages_stay_different(one, other):
    assert normalise(one) != normalise(other)


_PIECES = st.text(alphabet=string.ascii_letters + string.digits + "%&=?#/;:@[]!$'()*+,-._~äß漢", max_size=30)


@settings(deadline=None)
@given(host=st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{0,9}\.(com|Org)", fullmatch=True), rest=_PIECES)
def test_normalising_twice_changes_nothing(host, rest):
    url = f"https://{host}/{rest}"

    once = normalise(url)

    assert normalise(once) == once
    assert domain(once) == domain(url)


def spelling_of(url):
    """None for what is refused."""
    with suppress(Rejected):
        return normalise(url)


_ODD = [
    *("%", "%2", "%25", "%2F", "%2e", "%3B", "%3f", "%00", "%0a", "%ff", "%C3%A9", "%c3%a9", "%u1234", "?%75tm_id=1"),
    *("..", ".", "/", "//", "?", "&", "&&", "=", "#", "#!", "!", ";", "+", "@", ":", "[", "]", "\\", "\t", "\ud800"),
    *(
        "é",
        "e\u0301",
        "ß",
        "İ",
        "\u212a",
        "\u200b",
        "\u2028",
        "。",
        "xn--",
        "xn--nxasmq6b",
        "www.",
        "utm_source=1",
        "a",
        "B",
    ),
    *(
        ":80",
        ":0080",
        ":",
        ":99999",
        "user:secret@",
        "[::1]",
        "[2606:4700:0:0::1]",
        "127.1",
        "0x7f.1",
        "{",
        "|",
        "^",
        "'",
    ),
]
_ODD_URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "//", "http://a.b/", "http://münchen.de"]),
    st.sampled_from(["", "example.com", "faß.de", "[2606:4700::1]", "example.com."]),
    st.lists(st.sampled_from(_ODD) | st.text(max_size=3), max_size=12).map("".join),
)


@settings(deadline=None, max_examples=500)
@given(url=_ODD_URLS | st.text())
def test_of_malformed_text_too_there_is_one_spelling_or_a_refusal(url):
    once = spelling_of(url)

    assert once is None or normalise(once) == once
    assert once is None or len(once) > 2083 or domain(once) == domain(url)


@pytest.mark.parametrize("url", ["http://example.com/" + "é" * 2000, "http://example.com/?" + "a" * 2063])
def test_a_url_that_just_fits_still_does_in_its_longer_normal_spelling(url):
    parse(url)

    once = normalise(url)

    assert len(once) > 2083
    assert normalise(once) == once


def test_a_url_that_is_too_long_has_no_normal_spelling():
    with pytest.raises(Rejected, match="at most 2083"):
        normalise("http://example.com/" + "é" * 3000)


@settings(deadline=None)
@given(url=st.text() | st.builds("http://{}{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_no_text_whatever_does_more_than_be_refused(url):
    with suppress(Rejected):
        assert normalise(url).startswith(("http://", "https://"))
