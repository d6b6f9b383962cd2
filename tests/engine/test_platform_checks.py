"""Tokens whose signature the platform removed: taken where the platform checks its callers, and nowhere else."""

import time
from dataclasses import replace

import pytest

from local.oidc import without_signature
from shared.identity import Callers, Unauthorized
from shared.settings import BadSettings
from tests.engine.here import manifests_of, settings_of
from tests.engine.test_callers import TASKS, hand_made, signed

ME = "https://function.test"
GOOGLE = "https://accounts.google.com"
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
# Where nobody can be asked for keys: what is taken there is taken for its claims alone.
NO_ISSUER = "https://issuer.test"


def stripped(issuer, **claims):
    """A token as it arrives behind Cloud Run; a claim that is None is left out."""
    return without_signature(signed(issuer, **{"iss": NO_ISSUER, "aud": ME, **claims}))


async def check(token, *, issuer=NO_ISSUER, platform_checks=True):
    callers = Callers(issuer, platform_checks=platform_checks)
    await callers.check(f"Bearer {token}", audience=ME, email=TASKS)


async def refusal(token, **how):
    with pytest.raises(Unauthorized) as raised:
        await check(token, **how)
    return raised.value


async def test_behind_the_platform_the_claims_are_enough(issuer):
    await check(stripped(issuer))


@pytest.mark.parametrize("written", [GOOGLE, "accounts.google.com"])
async def test_google_writes_its_issuer_in_two_ways(issuer, written):
    await check(stripped(issuer, iss=written), issuer=GOOGLE)


async def test_another_issuer_is_written_in_one_way(issuer):
    assert (await refusal(stripped(issuer, iss=NO_ISSUER.removeprefix("https://")))).status == 401


async def test_clocks_may_differ_by_a_few_seconds(issuer):
    now = int(time.time())

    await check(stripped(issuer, iat=now + 10))
    await check(stripped(issuer, iat=now - 3600, exp=now - 10))


def now():
    return int(time.time())


WRONG_CLAIMS = {
    "another issuer": (401, lambda: {"iss": GOOGLE}),
    "no issuer": (401, lambda: {"iss": None}),
    "another function": (401, lambda: {"aud": "https://other.test"}),
    "several functions": (401, lambda: {"aud": [ME, "https://other.test"]}),
    "no function": (401, lambda: {"aud": None}),
    "expired": (401, lambda: {"exp": now() - 60}),
    "no expiry": (401, lambda: {"exp": None}),
    "an expiry in words": (401, lambda: {"exp": "tomorrow"}),
    "an expiry in a list": (401, lambda: {"exp": []}),
    "an endless expiry": (401, lambda: {"exp": float("inf")}),
    "from tomorrow": (401, lambda: {"iat": now() + 86400}),
    "no time of issue": (401, lambda: {"iat": None}),
    "another account": (403, lambda: {"email": "somebody@example.com"}),
    "no account": (403, lambda: {"email": None}),
    "an unverified account": (403, lambda: {"email_verified": False}),
    "an account verified in words": (403, lambda: {"email_verified": "true"}),
    "nothing about verification": (403, lambda: {"email_verified": None}),
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
async def test_behind_the_platform_each_claim_is_checked(issuer, name):
    status, claims = WRONG_CLAIMS[name]

    assert (await refusal(stripped(issuer, **claims()))).status == status


@pytest.mark.parametrize("ending", ["", REMOVED.lower(), f"{REMOVED}_", f"x{REMOVED}", f"x.{REMOVED}", f"{REMOVED}."])
async def test_nothing_but_the_platforms_own_words_stands_for_a_signature(issuer, ending):
    head = stripped(issuer, iss=issuer.url).removesuffix(REMOVED)

    assert (await refusal(head + ending, issuer=issuer.url)).status == 401


async def test_a_token_of_two_parts_is_refused(issuer):
    assert (await refusal(stripped(issuer).removesuffix(f".{REMOVED}"))).status == 401


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", None, 5])
async def test_a_token_that_was_never_signed_as_the_issuer_signs_is_refused(algorithm):
    claims = {"iss": NO_ISSUER, "aud": ME, "email": TASKS, "email_verified": True, "iat": now(), "exp": now() + 600}
    token = without_signature(hand_made({"alg": algorithm, "typ": "JWT"}, claims))

    assert (await refusal(token)).status == 401


@pytest.mark.parametrize("head", ["", ".", "a.b", "e30.e30", "e30", "W10.W10", "bnVsbA.bnVsbA"])
async def test_garbage_before_the_platforms_words_is_refused(head):
    assert (await refusal(f"{head}.{REMOVED}")).status == 401


async def test_behind_the_platform_a_signature_that_is_there_is_verified(issuer):
    whole = signed(issuer, aud=ME)
    head, _, signature = whole.rpartition(".")
    await check(whole, issuer=issuer.url)

    assert (await refusal(f"{head}.{signature[::-1]}", issuer=issuer.url)).status == 401


async def test_without_the_setting_the_operator_is_told_of_it(issuer):
    refused = await refusal(stripped(issuer), platform_checks=False)

    assert refused.status == 401
    assert "removed the token's signature, but PLATFORM_CHECKS_CALLERS is not set" in str(refused)


def test_a_public_function_never_relies_on_the_platform(environment, project):
    settings = settings_of(environment, platform_checks_callers=True)
    public = replace(manifests_of(project).functions["fanout"], callers=("pubsub", "public"))

    with pytest.raises(BadSettings, match=r"PLATFORM_CHECKS_CALLERS is wrong: .*'fanout'"):
        Callers.of(settings, public)


def test_the_api_does_not_serve_while_it_is_told_that_the_platform_checks(deployer, database):
    function = deployer.another("api", "api-behind", PLATFORM_CHECKS_CALLERS="true")

    answer = function.client.get(f"{function.url}/live")

    assert answer.status_code == 500
    (line,) = function.lines()
    assert (line["message"], line["severity"]) == ("bad_settings", "CRITICAL")
    assert line["error"].startswith("PLATFORM_CHECKS_CALLERS is wrong: the platform lets everybody call 'api'")


def test_a_task_gets_in_behind_the_platform(deployer, deployed, enlist):
    function = deployer.another("probe", "probe-behind", PLATFORM_CHECKS_CALLERS="true")

    answer = function.deliver(enlist(do="done"), token=without_signature(function.token()))

    assert (answer.status_code, answer.text) == (200, "done")


def test_a_task_without_signature_gets_in_nowhere_else(deployed, enlist, item_of):
    function = deployed("probe")
    item = enlist(do="done")

    answer = function.deliver(item, token=without_signature(function.token()))

    assert (answer.status_code, item_of(item).state) == (401, "waiting")
    assert "PLATFORM_CHECKS_CALLERS is not set" in function.lines()[-1]["error"]


@pytest.mark.parametrize("name", ["fanout", "catalog"])
def test_a_push_without_signature_gets_in_behind_the_platform_alone(deployer, database, name):
    behind = deployer.another(name, f"{name}-behind", PLATFORM_CHECKS_CALLERS="true")
    bare = deployer.another(name, f"{name}-in-the-open")

    # A push that says nothing is refused as an order, once its sender is known.
    assert behind.post({}, token=without_signature(behind.token("pubsub"))).status_code == 400
    assert bare.post({}, token=without_signature(bare.token("pubsub"))).status_code == 401
    assert "PLATFORM_CHECKS_CALLERS is not set" in bare.lines()[-1]["error"]
