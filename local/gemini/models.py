"""The models this server answers for, named as Google names them; the same offline means compute them all."""

from dataclasses import dataclass

from local.gemini.problems import JSON, unknown_model

GENERATES = ("generateContent", "streamGenerateContent", "countTokens")
EMBEDS = ("embedContent", "batchEmbedContents", "countTokens")
OFFLINE = "offline-extractive"
_GENERATING = (
    "gemini-3.8-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
)
_EMBEDDING = ("gemini-embedding-2", "gemini-embedding-001")


@dataclass(frozen=True)
class Model:
    name: str
    methods: tuple[str, ...]
    input_tokens: int
    output_tokens: int

    def listed(self) -> JSON:
        return {
            "name": f"models/{self.name}",
            "version": OFFLINE,
            "displayName": f"{self.name} (offline)",
            "description": "Computed on this machine by extraction; not the model of this name.",
            "inputTokenLimit": self.input_tokens,
            "outputTokenLimit": self.output_tokens,
            "supportedGenerationMethods": list(self.methods),
        }


class Models:
    def __init__(self, more: tuple[str, ...] = ()) -> None:
        generating = [Model(name, GENERATES, 1_048_576, 65_536) for name in (*_GENERATING, *more)]
        embedding = [Model(name, EMBEDS, 8_192, 1) for name in _EMBEDDING]
        self._by_name = {model.name: model for model in (*generating, *embedding)}

    def find(self, name: str, method: str, version: str) -> Model:
        """Raises Problem (404) for a model that is not there or cannot do this."""
        model = self._by_name.get(name)
        if model is None or (method != "get" and method not in model.methods):
            raise unknown_model(name, method, version)
        return model

    def all(self) -> list[Model]:
        return list(self._by_name.values())
