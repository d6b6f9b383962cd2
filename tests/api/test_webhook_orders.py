"""Who is to be told of a batch's end is said when it is submitted."""

import pytest

from tests.api.test_submitting import BATCH, counts, is_problem

URL = "https://receiver.example/hook"


def test_the_secret_is_told_in_the_answer_to_the_submission_alone(api):
    made = api.post({**BATCH, "webhook_url": URL}, **{"Idempotency-Key": "once"}).json()
    again = api.post({**BATCH, "webhook_url": URL}, **{"Idempotency-Key": "once"}).json()

    looked = api.get(f"/v3/batches/{made['id']}").json()

    assert made["webhook"]["secret"].startswith("whsec_")
    assert again["webhook"]["secret"] == made["webhook"]["secret"]
    assert looked["webhook"] == {"url": URL, "state": "waiting", "attempts": 0, "error": None}
    assert made["webhook"]["secret"] not in api.get("/v3/batches").text


def test_a_secret_of_ones_own_is_used(api, database):
    made = api.post({**BATCH, "webhook_url": URL, "webhook_secret": "mine-0123456789abc"}).json()

    assert made["webhook"]["secret"] == "mine-0123456789abc"
    assert database.execute("select webhook_secret from batches").fetchone()["webhook_secret"] == "mine-0123456789abc"


def test_how_the_telling_went_stands_with_the_batch(api, work_off, database):
    batch = api.post({**BATCH, "webhook_url": URL}).json()["id"]
    work_off()
    database.execute("insert into batches (id, function, source) values (new_id(), 'webhook', 'backlog')")
    database.execute(
        "insert into items (batch_id, function, quota, state, input, input_key, source_key, deferrals, error) "
        "select id, 'webhook', 'webhooks', 'dead', '{}', 'k', %s, 11, 'it answered 500' "
        "from batches where function = 'webhook'",
        [f"batches:{batch}:1"],
    )

    told = api.get(f"/v3/batches/{batch}").json()["webhook"]

    assert told == {"url": URL, "state": "dead", "attempts": 11, "error": "it answered 500"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://receiver.example/", "over https alone"),
        ("ftp://receiver.example/", "http"),
        ("https://127.0.0.1/", "loopback"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[::1]/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://2130706433/", "2130706433 is not a public address but loopback"),
        ("https://017700000001/", "loopback"),
        ("https://0x7f.1/", "loopback"),
        ("https://0X7F.0x0.0x0.0x1/", "loopback"),
        ("https://127.1/", "loopback"),
        ("https://127.0.0.1./", "loopback"),
        ("https://127\u30020\u30020\u30021/", "loopback"),
        ("https://\uff11\uff12\uff17.0.0.1/", "not a URL"),
        ("https://2852039166/latest/meta-data", "link-local"),
        ("https://0/", "unspecified"),
        ("https://256.1.1.1/", "not a URL"),
        ("https://1.2.3.4.5/", "malformed"),
        ("https://[::]/", "unspecified"),
        ("https://[::ffff:10.0.0.1]/", "IPv4-mapped"),
        ("https://[::ffff:7f00:1]/", "IPv4-mapped"),
        ("https://[64:ff9b::7f00:1]/", "NAT64"),
        ("https://[fd20:ce::254]/", "unique-local"),
        ("https://localhost/", "loopback"),
        ("https://LOCALHOST.:8443/", "loopback"),
        ("https://api.localhost/", "loopback"),
        ("https://metadata.google.internal/computeMetadata/v1/", "private"),
        ("https://metadata/", "local"),
        ("https://printer.local/", "link-local"),
        ("https://router.home.arpa/", "private"),
        ("https://receiver.example\\@10.0.0.1/", "backslash"),
        ("https://user:word@receiver.example/", "user name"),
        ("https://receiver.example:22/", "ports"),
        ("https:///nowhere", "host"),
        ("nonsense", "http"),
        ("https://receiver.example/" + "x" * 2100, "webhook_url"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(api, database, url, said):
    answer = api.post({**BATCH, "webhook_url": url})

    assert said in is_problem(answer, 422)
    assert counts(database) == {"batches": 0, "items": 0}


@pytest.mark.parametrize(
    "url",
    ["https://receiver.example./hook", "https://b\u00fccher.example/", "https://8.8.8.8:8443/", "https://134744072/"],
)
def test_a_public_address_is_taken_in_any_spelling(api, url):
    assert api.post({**BATCH, "webhook_url": url}).status_code == 202


@pytest.mark.parametrize(
    "more", [{"webhook_secret": "mine-0123456789abc"}, {"webhook_url": URL, "webhook_secret": "x"}]
)
def test_a_secret_without_a_webhook_or_too_short_is_refused(api, more):
    assert "webhook_secret" in is_problem(api.post({**BATCH, **more}), 422)


def test_nobody_sends_items_to_the_webhook_function(api, database):
    answer = api.post({"function": "webhook", "items": [{"batch_id": "x", "round": 1, "url": URL}]})

    assert "There is no function 'webhook'" in is_problem(answer, 422)
    assert counts(database) == {"batches": 0, "items": 0}
