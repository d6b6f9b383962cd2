"""Gemini: one typed question, one call.

The SDK's own retries stay off: a retry is a new dispatch, counted by the queue like any other. What the API says
when it does not answer is renamed here, once:

    429                        Overloaded, for as long as it says; a spent daily quota until midnight Pacific
    key refused, no such model Overloaded: a wrong setting must rest the quota, not kill a million items
    402, billing is off        Overloaded likewise
    400 about the deadline     Failed("deadline_too_short"): the next attempt has more time; no fault of the model
    400                        Rejected: this request can never work
    5xx, 499, no connection    ModelFailed: try again, and the quota's breaker counts it
    no answer                  ModelSilent: likewise, and what was reserved counts as spent
    answer blocked             Rejected("unsafe")
    answer cut off             AnswerCut: tried once more; it has cost what it cost
    answer no JSON             Failed: try again; it has cost what it cost
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from shared import tls
from shared.departures import DEPARTURE, Departure, Leave, watch
from shared.errors import Failed, ModelFailed, ModelSilent, Outcome, Overloaded, Rejected
from shared.items import Spent
from shared.model_answers import answer_text, counted, parse, url_was_read
from shared.prices import cost_usd
from shared.settings import Settings
from shared.telemetry import log

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.errors import APIError
    from google.genai.types import GenerateContentResponse

Value = TypeVar("Value", bound=BaseModel)

PACIFIC = ZoneInfo("America/Los_Angeles")
MINUTE_REST_SECONDS = 30.0
WRONG_SETTING_REST_SECONDS = 60.0
# "Come back in 0 s" would be asked again and again, and no attempt is spent on it; a day at most is believed.
SHORTEST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 86_400.0


@dataclass(frozen=True)
class Image:
    """A picture that goes with a question: its bytes as they are sent, and what they are ("image/jpeg")."""

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class Bounds:
    """What one call may take: seconds, and tokens of its answer, thoughts included.

    `reserved_tokens` were set aside for its question: so many count as spent where the true number stays unknown.
    """

    seconds: float
    output_tokens: int
    reserved_tokens: int = 0


@dataclass(frozen=True)
class Answer(Generic[Value]):
    """What the model said, and what it took.

    `read_url`: it opened the page by itself. Where it was to and could not, `value` is empty: no answer to go by.
    """

    value: Value
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    latency_ms: int
    read_url: bool = False


class Gemini:
    """A client of generateContent, made at the first question."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._now = now
        self._client: Client | None = None

    async def ask(  # noqa: PLR0913 - each has its name
        self,
        model: str,
        instruction: str,
        content: str,
        into: type[Value],
        *,
        bounds: Bounds,
        spend: Callable[[Spent], None],
        leave: Leave,
        read_url: bool = False,
        image: Image | None = None,
    ) -> Answer[Value]:
        """Ask once. `spend` is told what was paid for, also when the answer is of no use.

        `leave` is awaited right before the request's bytes leave; what it raises calls the request off.
        """
        started = time.monotonic()
        departure = Departure(leave)
        DEPARTURE.set(departure)
        try:
            response = await self._generate(
                model, instruction, content, into, bounds, departure, read_url=read_url, image=image
            )
        except (ModelSilent, asyncio.CancelledError):
            if departure.sent:
                spend(self._reserved(model, bounds.reserved_tokens))
            raise
        spent = self._spent(model, response)
        spend(spent)
        was_read = url_was_read(response)
        said = was_read or not read_url
        return Answer(
            value=parse(answer_text(response, bounds.output_tokens), into) if said else into.model_construct(),
            model=response.model_version or model,
            tokens_in=spent.tokens_in,
            tokens_out=spent.tokens_out,
            cost_usd=spent.cost_usd,
            latency_ms=round((time.monotonic() - started) * 1000),
            read_url=was_read,
        )

    async def _generate(  # noqa: PLR0913
        self,
        model: str,
        instruction: str,
        content: str,
        into: type[BaseModel],
        bounds: Bounds,
        departure: Departure,
        *,
        read_url: bool,
        image: Image | None,
    ) -> "GenerateContentResponse":
        from google.genai import errors, types  # noqa: PLC0415 - heavy: loaded at the first question

        config = types.GenerateContentConfig(
            system_instruction=instruction,
            response_mime_type="application/json",
            response_schema=into,
            max_output_tokens=bounds.output_tokens,
            http_options=types.HttpOptions(timeout=int(bounds.seconds * 1000)),
            tools=[types.Tool(url_context=types.UrlContext())] if read_url else None,
        )
        try:
            pictures: list[Any] = [types.Part.from_bytes(data=image.data, mime_type=image.mime_type)] if image else []
            response: GenerateContentResponse = await self.warm_up().aio.models.generate_content(
                model=model, contents=[*pictures, content], config=config
            )
        except errors.APIError as error:
            raise self._renamed(error, model) from error
        except Exception as error:
            if not is_of_the_network(error):
                raise
            kind = ModelSilent if departure.sent else ModelFailed
            raise kind("model_silent", f"{model} did not answer: {type(error).__name__}") from error
        return response

    def warm_up(self) -> "Client":
        """The client. Loading it takes a second: do that before the question's slot, not in it."""
        if self._client is None:
            from google.genai import Client, types  # noqa: PLC0415

            key = self._settings.gemini_api_key.get_secret_value()
            if not key:
                raise Overloaded(WRONG_SETTING_REST_SECONDS, "model_setting", "GEMINI_API_KEY is not set")
            # "ssl" is for websockets, which nobody here opens; without it a context is made for them nevertheless.
            trust = {"verify": tls.context(), "ssl": tls.context()}
            self._client = Client(
                api_key=key,
                http_options=types.HttpOptions(
                    base_url=self._settings.gemini_base_url,
                    client_args=trust,
                    async_client_args={**trust, "event_hooks": {"request": [watch]}},
                    # Said outright: left out, the SDK sends a lost request again where aiohttp is installed.
                    retry_options=types.HttpRetryOptions(attempts=1),
                ),
            )
        return self._client

    def _spent(self, model: str, response: "GenerateContentResponse") -> Spent:
        usage = response.usage_metadata
        tokens_in = counted(usage, "prompt_token_count", "tool_use_prompt_token_count")
        tokens_out = counted(usage, "candidates_token_count", "thoughts_token_count")
        return Spent(1, tokens_in, tokens_out, self._price(model, tokens_in, tokens_out))

    def _reserved(self, model: str, tokens_in: int) -> Spent:
        """What a call is taken to have cost that left and was never answered."""
        return Spent(1, tokens_in, 0, self._price(model, tokens_in, 0), estimated=True)

    def _price(self, model: str, tokens_in: int, tokens_out: int) -> float:
        cost = cost_usd(model, tokens_in, tokens_out, self._now().date())
        if cost is None:
            log.warning("no_price", model=model, hint="add the model to shared/prices.toml")
        return cost or 0.0

    def _renamed(self, error: "APIError", model: str) -> Outcome:
        # A gateway's words need not be of Google's shape.
        message = str(error.message or "")
        said = f"{model} answered {error.code} {error.status or ''}: {message}".strip()
        if error.code == 429:
            return overloaded(error.details, said, self._now())
        if error.code == 402 or error.status == "FAILED_PRECONDITION":
            return Overloaded(WRONG_SETTING_REST_SECONDS, "model_setting", f"{said} - check the key's billing")
        if error.code in {401, 403, 404} or "API key" in message:
            return Overloaded(
                WRONG_SETTING_REST_SECONDS, "model_setting", f"{said} - check GEMINI_API_KEY and the model"
            )
        # 499: cancelled by its own side, under load.
        if error.code >= 500 or error.code in {408, 499}:
            return ModelFailed("model_error", said)
        if error.code == 400 and "deadline" in message.lower():
            return Failed("deadline_too_short", f"{said} - raise work_seconds in the function's function.yaml")
        return Rejected("model_refused", said)


def is_of_the_network(error: Exception) -> bool:
    """Raised by the transport: httpx, or the fork of it that the SDK takes where it is installed."""
    of = type(error).__module__.partition(".")[0]
    return of in {"httpx", "httpx2"} or isinstance(error, OSError)


def overloaded(details: Any, said: str, now: datetime) -> Overloaded:
    """How long the quota rests. A spent daily quota also carries a short retryDelay: decide on the quotaId."""
    parts = _parts(_parts([details], "error") or [details], "details")
    quota_ids = " ".join(str(violation.get("quotaId", "")) for violation in _parts(parts, "violations"))
    if "PerDay" in quota_ids:
        return Overloaded(seconds_to_midnight_pacific(now), "daily_quota", said)
    delays = [delay for part in parts if (delay := seconds_of(part.get("retryDelay"))) is not None]
    seconds = min(max(delays, default=MINUTE_REST_SECONDS), LONGEST_REST_SECONDS)
    return Overloaded(max(seconds, SHORTEST_REST_SECONDS), "minute_quota", said)


def _parts(of: Any, key: str) -> list[dict[str, Any]]:
    """What these objects hold under `key`, as far as that is an object or a list of objects."""
    found = [one.get(key) for one in of if isinstance(one, dict)]
    listed = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [one for one in listed if isinstance(one, dict)]


def seconds_of(duration: Any) -> float | None:
    """Seconds of a protobuf JSON duration ("33s"); None when it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(duration))
    return float(match.group(1)) if match else None


def seconds_to_midnight_pacific(now: datetime) -> float:
    """Gemini's requests per day start anew at midnight in Los Angeles."""
    here = now.astimezone(PACIFIC)
    tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
