"""Reads JSON bodies and query strings strictly and refuses ambiguous ones.

Numbers keep the digits that were sent: a whole number becomes an int, any other a `Number`.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.params.models import ParamModel, QueryModel
from ninja.parser import Parser

from multitask.web.api.request_errors import Refused

DEEPEST = 32
LONGEST_INTEGER = 1_000
# The range of a double: other readers of the same text would get infinity or zero.
LARGEST_EXPONENT = 308
NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")


class InvalidJson(Refused):
    """The body is not standard JSON, or it is ambiguous."""

    code = "invalid_json"
    message = "The body is not valid JSON."


class InvalidText(Refused):
    """Some text has characters that the database cannot store."""

    code = "invalid_text"
    message = "The request holds text with characters that cannot be stored."


class UnsupportedMediaType(Refused):
    """The content type of the body is not JSON."""

    code = "unsupported_media_type"
    message = "Send the body as JSON, with the content type application/json."


class RepeatedParameter(Refused):
    """A query parameter is given more than once, so its value is ambiguous."""

    code = "repeated_parameter"
    message = "A query parameter may be given once."


class UnknownParameter(Refused):
    """The query has a parameter that the operation does not take. Ignoring a filter would give a wrong answer."""

    code = "unknown_parameter"
    message = "The address has a query parameter that is not known."


class Number(Decimal):
    """An exact JSON number with a fraction or an exponent; `literal` is how it was written."""

    literal: str

    def __new__(cls, literal: str) -> "Number":
        """Read the literal exactly."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a body that has to be one JSON object. Raises InvalidJson or InvalidText."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidJson(detail="The body is not UTF-8.") from None
    try:
        value = _decode(text)
    except RecursionError:
        raise InvalidJson(detail="The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(detail=f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    if not isinstance(value, dict):
        raise InvalidJson("The body has to be a JSON object.")
    _refuse_depth_and_text(value)
    return value


class StrictParser(Parser):
    """The parser that every operation uses."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Read the body of a request that says it is JSON."""
        if request.content_type != "application/json":
            raise UnsupportedMediaType
        return parse_json(request.body)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """Read parameters that come once each; which names are known is checked by `require_known_parameters`."""
        for name, values in data.lists():
            if len(values) > 1:
                raise RepeatedParameter(fields={name[:100]: "Give this once."})
            if NUL_OR_SURROGATE.search(name + values[0]):
                raise InvalidText
        return {name: values[0] for name, values in data.lists()}


def require_known_parameters(api: NinjaAPI) -> None:
    """Refuse unknown query parameters on every operation of the API, also on those that take none.

    Call it once all routers are mounted. The check runs after the login, before anything else is read.
    """
    for bound in api._get_bound_routers():
        for view in bound.path_operations.values():
            for operation in view.operations:
                operation.models = [_known_parameters(query_names(operation)), *operation.models]


def query_names(operation: Operation) -> frozenset[str]:
    """Return the names of the query parameters that an operation takes."""
    queries = (model for model in operation.models if issubclass(model, QueryModel))
    return frozenset(name for model in queries for name in getattr(model, "__ninja_flatten_map__", {}))


def _known_parameters(known: frozenset[str]) -> type[ParamModel]:
    """Make the model that an operation resolves first: it takes nothing and refuses what is not `known`."""

    class KnownParameters(ParamModel):
        @classmethod
        def get_request_data(cls, request: HttpRequest, api: NinjaAPI, path_params: dict[str, Any]) -> dict[str, Any]:
            sent = api.parser.parse_querydict(request.GET, [], request)
            unknown = [name for name in sent if name not in known]
            if unknown:
                raise UnknownParameter(fields={name[:100]: "This parameter is not known." for name in unknown[:10]})
            return {}

    return KnownParameters


def _decode(text: str) -> Any:
    return json.loads(
        text,
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_fraction,
        parse_constant=_constant,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJson(detail="A name comes twice in one object.")
    return found


def _integer(literal: str) -> int:
    if len(literal) > LONGEST_INTEGER:
        raise InvalidJson(detail="A number is too long.")
    return int(literal)


def _fraction(literal: str) -> Number:
    if len(literal) > LONGEST_INTEGER:
        raise InvalidJson(detail="A number is too long.")
    try:
        number = Number(literal)
    except InvalidOperation:
        raise InvalidJson(detail="A number is out of range.") from None
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        raise InvalidJson(detail="A number is out of range.")
    return number


def _constant(literal: str) -> NoReturn:
    raise InvalidJson(detail=f"{literal} is not a JSON number.")


def _refuse_depth_and_text(value: Any) -> None:
    """Walk without recursion, so that we limit the depth and not the interpreter."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST:
            raise InvalidJson(detail="The body is nested too deeply.")
        if isinstance(item, str):
            _refuse_text(item)
        elif isinstance(item, dict):
            for name, inner in item.items():
                _refuse_text(name)
                waiting.append((inner, depth + 1))
        elif isinstance(item, list):
            waiting.extend((inner, depth + 1) for inner in item)


def _refuse_text(text: str) -> None:
    found = NUL_OR_SURROGATE.search(text)
    if found:
        raise InvalidText(detail=f"The character U+{ord(found.group()):04X} cannot be stored.")
