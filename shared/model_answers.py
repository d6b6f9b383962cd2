"""model_answers: what a response of generateContent says: its text, its JSON as a typed value, its counts. Pure."""

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import AnswerCut, Failed, Rejected

if TYPE_CHECKING:
    from google.genai.types import GenerateContentResponse

Value = TypeVar("Value", bound=BaseModel)

BLOCKED = {
    "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)


def counted(usage: Any, *names: str) -> int:
    """The sum of these counts of usage_metadata; one that is missing is 0."""
    return sum(getattr(usage, name, None) or 0 for name in names)


def answer_text(response: "GenerateContentResponse", most_tokens: int) -> str:
    """The text of a complete answer; the reason first, for a blocked or cut answer has text too."""
    feedback = response.prompt_feedback
    if feedback and feedback.block_reason:
        raise Rejected("unsafe", f"The model refused the prompt: {_name(feedback.block_reason)}")
    candidate = next(iter(response.candidates or []), None)
    if candidate is None:
        raise Failed("no_answer", "The model answered without a candidate")
    reason = _name(candidate.finish_reason)
    if reason in BLOCKED:
        raise Rejected("unsafe", f"The model stopped: {reason}")
    if reason == "MAX_TOKENS":
        raise AnswerCut(most_tokens)
    parts = (candidate.content.parts if candidate.content else None) or []
    return "".join(part.text or "" for part in parts if not part.thought)


def parse(text: str, into: type[Value]) -> Value:
    """Strict JSON, else the one fenced block; never a repair, for a repaired answer may say something else."""
    for candidate in (text, *FENCED.findall(text)[-1:]):
        try:
            said = cleaned(json.loads(candidate))
        except (ValueError, RecursionError):  # no JSON; or numbers, or nesting, without end
            continue
        try:
            return into.model_validate(said)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:3])
            raise Failed("answer_misfit", f"The model's answer does not fit {into.__name__}: {fields}") from error
    raise Failed("answer_no_json", f"The model's answer is not JSON: {text[:80]!r}")


def cleaned(value: Any) -> Any:
    """The same JSON with texts as Postgres takes them: no NUL, no half of a surrogate pair, which models may write."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "ignore").decode()
        case list():
            return [cleaned(one) for one in value]
        case dict():
            return {cleaned(key): cleaned(one) for key, one in value.items()}
    return value


def url_was_read(response: "GenerateContentResponse") -> bool:
    """Did the url_context tool reach every page it tried, and at least one?"""
    candidate = next(iter(response.candidates or []), None)
    metadata = candidate.url_context_metadata if candidate else None
    statuses = [_name(one.url_retrieval_status) for one in (metadata.url_metadata if metadata else None) or []]
    return bool(statuses) and all(status == "URL_RETRIEVAL_STATUS_SUCCESS" for status in statuses)


def _name(enum: Any) -> str:
    return str(getattr(enum, "value", enum) or "")
