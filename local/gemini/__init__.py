"""A stand-in for the Gemini API: the same REST protocol, with answers computed on this machine.

JSON -> Call (wire) -> what the prompt is about (material) -> Reading (sentences, entities, topics, tone)
                    -> its pictures, where boxes are asked for (vision) -> Elements (faces, title, text, ...)
     -> a value for every field of the schema (walk) -> candidate, counts, finish reason (replies) -> JSON

`python -m local.gemini --port 8604` serves it. It is extractive: it writes no sentence that the text does
not hold, and says so in `modelVersion`.
"""
