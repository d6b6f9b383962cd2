"""Orders: what a message of the topic "catalog" asks.

{"catalog": true}                                          go on with the pass, or begin the next one if it is due
{"catalog": true, "fresh": true}                           begin it now, in place of one under way
{"catalog": true, "include_inactive": true}                and take inactive posters in until its end
"""

import base64
import binascii
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    catalog: Literal[True]
    fresh: bool = False
    include_inactive: bool = False


class BadOrder(ValueError):
    """The message asks for something else."""


def read_push(body: bytes) -> Order:
    """From the wrapped push body. Raises BadOrder with what is wrong."""
    try:
        message: Any = json.loads(body)["message"]
        return Order.model_validate(json.loads(base64.b64decode(message["data"], validate=True)))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise BadOrder(f"{'.'.join(map(str, problem['loc'])) or 'order'}: {problem['msg']}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise BadOrder('the body must be a Pub/Sub push: {"message": {"data": <base64 of JSON>}}') from error
