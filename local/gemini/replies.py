"""Responses of generateContent as JSON, whole or bent by a fault."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from secrets import token_urlsafe

from local.gemini.models import OFFLINE
from local.gemini.problems import JSON

_HARMS = ("HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_DANGEROUS_CONTENT", "HARM_CATEGORY_HARASSMENT")


@dataclass(frozen=True)
class Usage:
    """Tokens: of texts, of pictures, of pages that were retrieved."""

    text: int
    images: int = 0
    pages: int = 0

    @property
    def prompt(self) -> int:
        return self.text + self.images

    def counted(self, candidates: int) -> JSON:
        usage: JSON = {"promptTokenCount": self.prompt, "candidatesTokenCount": candidates}
        usage["totalTokenCount"] = self.prompt + candidates + self.pages
        usage["promptTokensDetails"] = self.details()
        if self.pages:
            usage["toolUsePromptTokenCount"] = self.pages
        return usage

    def details(self) -> list[JSON]:
        text = [{"modality": "TEXT", "tokenCount": self.text}] if self.text or not self.images else []
        image = [{"modality": "IMAGE", "tokenCount": self.images}] if self.images else []
        return [*text, *image]


@dataclass(frozen=True)
class Reply:
    """`text` None: no candidate content. `blocked`: not even a candidate."""

    model: str
    text: str | None
    usage: Usage
    tokens_out: int = 0
    finish: str = "STOP"
    blocked: str = ""
    urls: tuple[dict[str, str], ...] = ()

    def body(self) -> JSON:
        return self._framed(self.text, self.finish, last=True)

    def chunks(self) -> Iterator[JSON]:
        """The same in pieces, the finish reason and the counts in the last."""
        pieces = re.findall(r".{1,80}(?:\s|$)|.{1,80}", self.text or "", re.DOTALL) or [self.text]
        for piece in pieces[:-1]:
            yield self._framed(piece, "", last=False)
        yield self._framed(pieces[-1], self.finish, last=True)

    def _framed(self, text: str | None, finish: str, *, last: bool) -> JSON:
        whole: JSON = {"promptFeedback": {"blockReason": self.blocked}} if self.blocked else {}
        if not self.blocked:
            whole["candidates"] = [self._candidate(text, finish, last=last)]
        whole["usageMetadata"] = self.usage.counted(self.tokens_out if last else 0)
        return whole | {"modelVersion": f"{self.model}-{OFFLINE}", "responseId": token_urlsafe(16)}

    def _candidate(self, text: str | None, finish: str, *, last: bool) -> JSON:
        candidate: JSON = {"index": 0}
        if text is not None:
            candidate["content"] = {"parts": [{"text": text}] if text else [], "role": "model"}
        if finish:
            candidate["finishReason"] = finish
        if finish == "SAFETY":
            candidate["safetyRatings"] = [_rating(harm, blocked=harm.endswith("CONTENT")) for harm in _HARMS]
        if last and self.urls:
            candidate["urlContextMetadata"] = {"urlMetadata": list(self.urls)}
        return candidate


def _rating(category: str, *, blocked: bool) -> JSON:
    rating: JSON = {"category": category, "probability": "HIGH" if blocked else "NEGLIGIBLE"}
    return rating | ({"blocked": True} if blocked else {})


def bent(reply: Reply, fault: str) -> Reply:
    """The reply as a fault leaves it."""
    text = reply.text or ""
    ends = {"unsafe": "SAFETY", "recitation": "RECITATION"}
    if fault in ends:
        return replace(reply, text=None, finish=ends[fault], tokens_out=0)
    if fault == "blocked_prompt":
        return replace(reply, text=None, blocked="PROHIBITED_CONTENT", tokens_out=0)
    if fault == "truncated":
        return replace(reply, text=text[: max(1, len(text) // 2)], finish="MAX_TOKENS")
    return replace(reply, text=_spoilt(text, fault))


def _spoilt(text: str, fault: str) -> str:
    if fault == "fenced":
        return f"I read the text first and then filled in every field.\n```json\n{text}\n```"
    if fault == "garbage":
        return text[: len(text) // 2] + " }, ]\u241a and so on"
    return "" if fault == "empty" else text
