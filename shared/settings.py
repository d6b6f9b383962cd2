"""Settings: everything that differs between deployments, read from the environment once.

Endpoints have production defaults; `http://` in an endpoint means no TLS and no credentials.
"""

import json
import os
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError


class BadSettings(Exception):
    """A setting is missing or wrong. The message is one line that names it and says what to do."""


def _from_json(value: Any) -> Any:
    """A setting that is a mapping is written as JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("not JSON") from None


Mapping = Annotated[dict[str, str], BeforeValidator(_from_json)]


class Environment(BaseModel):
    """Settings that are read from the environment: SUPABASE_URL is supabase_url. An empty one is not set.

    By hand, for the library that does it takes longer to load than all of our own code.
    """

    model_config = ConfigDict(frozen=True)

    @classmethod
    def read(cls) -> Self:
        """Raises BadSettings with one line for the first setting that is missing or wrong."""
        given = {name: value for name in cls.model_fields if (value := os.environ.get(name.upper()))}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise BadSettings(cls._first_problem(error)) from None

    @classmethod
    def _first_problem(cls, error: ValidationError) -> str:
        """The first problem in the reader's words; never the value, which may be a secret."""
        problem: Any = error.errors(include_input=False, include_url=False)[0]
        name, said = str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")
        wrong = "is not set" if problem["type"] == "missing" else f"is wrong ({said})"
        return f"{name.upper()} {wrong}: set it to the {cls.model_fields[name].description}"


class Settings(Environment):
    """The environment of one function. The README's table is checked against these descriptions."""

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
    function_urls: Mapping = Field(description='URL of each function, as JSON: {"article": "https://..."}')
    tasks_service_account: str = Field(description="Service account whose token Cloud Tasks sends")
    pubsub_service_account: str = Field("", description="Service account whose token Pub/Sub pushes with")
    oidc_issuer: str = Field("https://accounts.google.com", description="Issuer of those tokens")
    platform_checks_callers: bool = Field(
        False,
        description="true where the platform verifies callers and removes the signatures of their tokens, as Cloud Run "
        "does for a function that is not public",
    )
    user_agent: str = Field(
        "Piecework/1.0", description="User-Agent of page fetches; say who to write to: MyNews/1.0 (+https://...)"
    )
    sample_site: str = Field("", description="host:port that serves *.test, for the sample job; empty in deployments")
    cors_origins: str = Field(
        "", description="Web origins that may call the API from a browser, with spaces between them"
    )
    trusted_hops: int = Field(
        1,
        ge=0,
        description="Proxies of our own before the API; each adds the address it was called from to X-Forwarded-For",
    )
    redis_url: SecretStr = Field(SecretStr(""), description="Redis that all instances of the API share as a cache")
    trace_exporter: Literal["", "none", "otlp", "console"] = Field(
        "", description="Where traces go: otlp, console or none; empty is otlp where an endpoint is set, else none"
    )
    otel_exporter_otlp_endpoint: str = Field(
        "http://localhost:4318", pattern="^https?://", description="Collector that takes traces over OTLP/HTTP"
    )

    @property
    def exporter(self) -> str:
        """none, otlp or console."""
        named = "otlp" if "otel_exporter_otlp_endpoint" in self.model_fields_set else "none"
        return self.trace_exporter or named

    def url_of(self, function: str) -> str:
        """Raises BadSettings for a function that has no URL."""
        try:
            return self.function_urls[function]
        except KeyError:
            raise BadSettings(f"FUNCTION_URLS is wrong: add the URL of {function!r}") from None


@cache
def settings() -> Settings:
    """Raises BadSettings with one line for the first setting that is missing or wrong."""
    return Settings.read()
