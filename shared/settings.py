"""Settings: everything that differs between deployments, read from the environment once.

Endpoints have production defaults; `http://` in an endpoint means no TLS and no credentials.
"""

from functools import cache
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class BadSettings(Exception):
    """A setting is missing or wrong. The message is one line that names it and says what to do."""


class Settings(BaseSettings):
    """The environment of one function. The README's table is checked against these descriptions."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    supabase_url: str = Field(pattern="^https?://", description="Supabase project URL")
    supabase_secret_key: SecretStr = Field(min_length=1, description="Supabase secret key (service role)")
    gemini_api_key: SecretStr = Field(SecretStr(""), description="Gemini API key, for functions that ask a model")
    gemini_base_url: str = Field(
        "https://generativelanguage.googleapis.com", pattern="^https?://", description="Where Gemini is asked"
    )
    gemini_model: str = Field("", description="Model to ask instead of the manifest's")
    project_id: str = Field(min_length=1, description="Google Cloud project")
    location: str = Field("us-central1", description="Region of the queues")
    queue_prefix: str = Field("", description="Put before a quota's name to make its queue's name")
    tasks_endpoint: str = Field(
        "https://cloudtasks.googleapis.com", pattern="^https?://", description="Where Cloud Tasks is asked"
    )
    pubsub_endpoint: str = Field(
        "https://pubsub.googleapis.com", pattern="^https?://", description="Where Pub/Sub is asked"
    )
    fanout_topic: str = Field("fanout", description="Pub/Sub topic of the fan-out")
    function_urls: dict[str, str] = Field(description='URL of each function, as JSON: {"article": "https://..."}')
    tasks_service_account: str = Field(description="Service account whose token Cloud Tasks sends")
    pubsub_service_account: str = Field("", description="Service account whose token Pub/Sub pushes with")
    oidc_issuer: str = Field("https://accounts.google.com", description="Issuer of those tokens")
    user_agent: str = Field("Piecework/1.0", description="User-Agent of page fetches")
    sample_site: str = Field("", description="host:port that serves *.test, for the sample job; empty in deployments")

    def url_of(self, function: str) -> str:
        """Raises BadSettings for a function that has no URL."""
        try:
            return self.function_urls[function]
        except KeyError:
            raise BadSettings(f"FUNCTION_URLS is wrong: add the URL of {function!r}") from None


@cache
def settings() -> Settings:
    """Raises BadSettings with one line for the first setting that is missing or wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettings(first_problem(error)) from None
    except SettingsError:
        # The one setting that is JSON: pydantic-settings gives up before it validates.
        about = Settings.model_fields["function_urls"].description
        raise BadSettings(f"FUNCTION_URLS is wrong (not JSON): set it to the {about}") from None


def first_problem(error: ValidationError) -> str:
    """The first problem in the reader's words; never the value, which may be a secret."""
    problem: Any = error.errors(include_input=False, include_url=False)[0]
    name = str(problem["loc"][0])
    about = Settings.model_fields[name].description
    wrong = "is not set" if problem["type"] == "missing" else f"is wrong ({problem['msg']})"
    return f"{name.upper()} {wrong}: set it to the {about}"
