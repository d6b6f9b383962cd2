"""The sample job, its expected ends, the log and the page for people agree with each other."""

from pathlib import Path

import httpx
import pytest

from local.site.articles import read_articles
from local.site.samples import address_of, read_expected, read_job, read_posters, read_web

SAMPLES = Path(__file__).parents[2] / "samples"
JOB = [line.url for line in read_job(SAMPLES / "urls.txt")]
POSTERS = read_posters(SAMPLES / "posters.jsonl")
EXPECTED = read_expected(SAMPLES / "expected.yaml")


def hosts_of(urls):
    return {address_of(url)[0] for url in urls}


def test_the_job_and_its_expectations_name_the_same_addresses_in_the_same_order():
    assert list(EXPECTED) == JOB


def test_every_address_of_the_job_is_served_unless_it_is_bad_input():
    web = read_web(SAMPLES)

    unserved = [url for url in JOB if address_of(url) not in web]

    assert unserved == [url for url in JOB if EXPECTED[url].get("reason") == "bad_input"]


def test_every_article_is_in_the_job(web):
    reached = {address_of(url) for url in JOB}
    moved = {
        address_of(web.get(f"http://{host}{path}").headers["location"])
        for host, path in reached
        if host == "moved.test"
    }

    assert {address_of(article.url) for article in read_articles(SAMPLES / "articles")} <= reached | moved


def test_a_duplicate_names_an_earlier_line_with_the_same_page():
    again = {url: entry["duplicate_of"] for url, entry in EXPECTED.items() if "duplicate_of" in entry}

    assert len(again) == 3
    assert all(JOB.index(first) < JOB.index(url) for url, first in again.items())
    assert all(address_of(first) == address_of(url) for url, first in again.items())


def test_what_is_not_done_says_why():
    assert [url for url, entry in EXPECTED.items() if (entry["state"] == "done") == ("reason" in entry)] == []


def test_hosts_that_end_badly_have_no_good_pages():
    good = hosts_of(url for url, entry in EXPECTED.items() if entry["state"] == "done")
    bad = hosts_of(url for url, entry in EXPECTED.items() if entry["state"] != "done")

    assert good & bad == set()


def test_each_endless_failure_is_alone_on_its_host():
    failing = [url for url, entry in EXPECTED.items() if entry.get("reason") == "attempts_exhausted"]

    assert len(hosts_of(failing)) == len(failing) == 3


def test_the_log_tells_host_path_status_and_condition(web, port):
    etag = web.get("http://parish.test/notes/bell-tower.html").headers["etag"]
    web.get("http://parish.test/notes/bell-tower.html", headers={"If-None-Match": etag})
    web.get("http://loop.test/a?page=2")

    log = httpx.get(f"http://127.0.0.1:{port}/control/log").json()

    assert log == [
        {"host": "parish.test", "path": "/notes/bell-tower.html", "status": 200, "conditional": False},
        {"host": "parish.test", "path": "/notes/bell-tower.html", "status": 304, "conditional": True},
        {"host": "loop.test", "path": "/a", "status": 302, "conditional": False},
    ]


def test_a_reset_connection_is_logged_without_a_status(web):
    with pytest.raises(httpx.ReadError):
        web.get("http://reset.test/news/cut-off")

    assert [line["status"] for line in web.get("http://any.test/control/log").json()] == [None]


def test_the_index_shows_every_address_and_links_what_it_serves(port):
    page = httpx.get(f"http://127.0.0.1:{port}/").text

    assert page.count("<tr><td") == len(JOB) + len(POSTERS)
    assert page.count('href="/as/') == len(JOB) - 2 + len(POSTERS) - 1
    assert '<span class="badge skipped">skipped</span> paywall' in page


def test_a_link_of_the_index_leads_to_the_page_of_that_host(web, port):
    direct = web.get("http://wissen.test/technik/abwaerme-schwimmbad")

    linked = httpx.get(f"http://127.0.0.1:{port}/as/wissen.test/technik/abwaerme-schwimmbad")

    assert linked.content == direct.content


def test_a_redirect_followed_from_the_index_stays_on_this_server(port):
    page = httpx.get(f"http://127.0.0.1:{port}/as/moved.test/2019/old-lighthouse", follow_redirects=True)

    assert page.url.path == "/as/gazette.test/heritage/lighthouse-lens"
    assert page.status_code == 200
