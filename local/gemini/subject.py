"""What one value of an answer is about: a whole text, one thing in it, or one in a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.gemini.entities import Entity
from local.gemini.images import Picture
from local.gemini.reading import Reading
from local.gemini.vision.eyes import Element

# (texts, labels) -> (number of the label nearest in meaning, cosine)
Closest = Callable[[Sequence[str], Sequence[str]], tuple[int, float]]


@dataclass(frozen=True)
class Subject:
    """`label` and `kind` are set where it is one thing: an entity, a point, a topic."""

    reading: Reading
    closest: Closest
    label: str = ""
    kind: str = ""
    mentions: int = 0
    pictures: tuple[Picture, ...] = ()
    seen: tuple[Element, ...] = ()  # all that was seen in the pictures
    element: Element | None = None  # the one seen thing that it is about

    @property
    def is_empty(self) -> bool:
        return not (self.reading.text.strip() or self.pictures or self.label)

    def of_entity(self, entity: Entity) -> "Subject":
        near = next((each for each in self.reading.sentences if entity.name in each), "")
        return Subject(self.reading.part(near), self.closest, entity.name, entity.type, entity.mentions)

    def of_element(self, element: Element) -> "Subject":
        return Subject(self.reading.part(element.text), self.closest, element.text, element.kind, element=element)

    def of_text(self, text: str) -> "Subject":
        return Subject(self.reading.part(text), self.closest, label=text)
