"""Names and parts of names. Short lists on purpose: the rules in `entities` do the rest."""

from local.gemini.word_lists import sections

_NAMES = sections("names")
FIRST_NAMES = _NAMES["first_names"]
TITLES = _NAMES["titles"]
PLACES = _NAMES["places"] | _NAMES["longer_places"]
PLACE_ENDS = _NAMES["place_ends"]
ORGANISATIONS = _NAMES["organisations"]
ORGANISATION_ENDS = _NAMES["organisation_ends"]
EVENT_ENDS = _NAMES["event_ends"]
GENERIC_ACRONYMS = _NAMES["generic_acronyms"]  # they name a kind of thing, not one thing
NOT_NAMES = _NAMES["not_names"]
