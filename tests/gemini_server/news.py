"""Pages that the tests ask about, and the shape they ask for."""

from typing import Literal

from pydantic import BaseModel, Field

HARBOUR = """Harbour bridge closes for two years of repairs
By Ada Okafor

Rotterdam will close its oldest harbour bridge for two years of repairs, the city council said on 3 March 2026. \
Engineers found deep cracks in the steel of the bridge during an inspection in January. About 40,000 drivers use \
the harbour bridge every day, and they will have to take the tunnel instead. "We cannot take the risk of waiting \
any longer," said Mayor Willem de Vries. The repairs will cost 85 million euros, half of it paid by the Ministry \
of Infrastructure. Shop owners near the bridge fear losing customers, and some have threatened the council with \
a lawsuit. De Vries promised them help from an emergency fund. The council will decide about the fund in April. \
Cyclists keep a narrow lane for now. A ferry will carry people on foot between the two banks from May. The \
bridge was opened in 1878 and was damaged in the war. Its towers are protected as a monument."""

GERMAN = """Stadtrat beschließt neuen Radweg am Fluss
Der Stadtrat von Köln hat am Dienstag den Bau eines neuen Radwegs am Fluss beschlossen. Der Weg soll im Herbst \
fertig sein und kostet rund zwei Millionen Euro. Viele Bürger freuen sich über die schöne Strecke und hoffen auf \
weniger Verkehr in der Stadt. Der Verein der Händler ist mit dem Beschluss zufrieden, weil mehr Gäste kommen \
werden."""


class Entity(BaseModel):
    name: str
    type: Literal["person", "organisation", "place", "date", "other"]


class Summary(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    summary: str = Field(description="3-4 sentences")
    key_points: list[str] = Field(min_length=3, max_length=6)
    entities: list[Entity]
    topics: list[str] = Field(max_length=6)
    sentiment: Literal["positive", "neutral", "negative", "mixed"]
    language: str = Field(description="ISO 639-1 code")
