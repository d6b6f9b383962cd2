"""A setting that is missing or wrong is named in one line, and its value stays where it is."""

import re
from pathlib import Path

import pytest

from shared.settings import BadSettings, Settings, settings

README = Path(__file__).parents[2] / "README.md"
SECRET = "sb_secret_2f7d"
GOOD = {
    "SUPABASE_URL": "https://abc.supabase.co",
    "SUPABASE_SECRET_KEY": SECRET,
    "PROJECT_ID": "p",
    "FUNCTION_URLS": '{"article": "https://article.example"}',
    "TASKS_SERVICE_ACCOUNT": "tasks@p.iam.gserviceaccount.com",
}


@pytest.fixture
def read(monkeypatch):
    """The settings that an environment makes."""

    def read(**environment):
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return settings.__wrapped__()

    return read


def test_what_must_be_set_is_little(read):
    assert read(**GOOD).location == "us-central1"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_setting_is_named_with_what_it_is(read, name):
    with pytest.raises(BadSettings, match=rf"^{name} is not set: set it to the .+$") as raised:
        read(**{key: value for key, value in GOOD.items() if key != name})

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", GOOD)
def test_an_empty_setting_is_not_set(read, name):
    with pytest.raises(BadSettings, match=rf"^{name} is not set: "):
        read(**{**GOOD, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPABASE_URL", "abc.supabase.co/secret"),
        ("FUNCTION_URLS", "https://secret.example"),
        ("FUNCTION_URLS", '["secret"]'),
        ("FUNCTION_URLS", '{"article": {"secret": 1}}'),
        ("GEMINI_BASE_URL", "secret.example"),
        ("TASKS_ENDPOINT", "grpc://secret"),
        ("PUBSUB_ENDPOINT", "secret"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(read, name, value):
    with pytest.raises(BadSettings, match=rf"^{name} is wrong \(.+\): set it to .+$") as raised:
        read(**{**GOOD, name: value})

    assert "\n" not in str(raised.value)
    assert not value or value not in str(raised.value)
    assert "secret." not in str(raised.value)


def test_settings_do_not_show_their_secrets(read):
    shown = read(**GOOD, GEMINI_API_KEY="model-secret")

    assert SECRET not in f"{shown!r} {shown}"
    assert "model-secret" not in f"{shown!r} {shown}"


def test_the_readme_lists_every_setting_with_its_default():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", README.read_text(), re.MULTILINE)

    described = {name: (default, about) for name, default, about in rows if name.lower() in Settings.model_fields}
    assert list(described) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        default, about = described[name.upper()]
        assert about == field.description
        if field.is_required():
            assert default == "**required**"
        else:
            assert default.strip("`") == written(field.default)


def written(default):
    """As somebody would write it into the environment."""
    value = str(getattr(default, "_secret_value", default)) or "empty"
    return value.lower() if isinstance(default, bool) else value


@pytest.mark.parametrize("name", ["probe", "fanout", "api"])
def test_a_function_that_is_not_set_up_says_so_in_one_line_of_its_log(deployer, database, name):
    function = deployer.another(name, f"{name}-bare", SUPABASE_URL="not-an-address")

    answer = function.client.post(function.url, json={"item_id": "x"})

    assert answer.status_code == 500
    assert "not-an-address" not in answer.text
    (line,) = function.lines()
    assert (line["message"], line["severity"]) == ("bad_settings", "CRITICAL")
    assert line["error"].startswith("SUPABASE_URL is wrong")


def test_a_function_that_has_no_url_of_its_own_says_so(deployer, database):
    function = deployer.another("probe", "probe-homeless", FUNCTION_URLS="{}")

    answer = function.deliver("01234567-89ab-7def-8123-456789abcdef")

    assert answer.status_code == 500
    assert function.lines()[-1]["error"] == "FUNCTION_URLS is wrong: add the URL of 'probe'"
