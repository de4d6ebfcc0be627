"""The json grader: is the answer JSON, and valid by the schema that the reference holds?"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from zetaroute.errors import UsageError
from zetaroute.files.strict_json import strict_json
from zetaroute.wire.thinking import without_thinking

if TYPE_CHECKING:
    from referencing import Specification
    from referencing.jsonschema import Schema

_ANSWER_LIMIT = 100_000
_DIGITS = 1000
"""Enough for the quotient of any two floats to be exact."""
_FENCED = re.compile(
    r"^[ \t]*```(?:[\w+-]*[ \t]*\n|json\b|)(.*?)(?:^[ \t]*```|```[ \t]*$)", re.MULTILINE | re.DOTALL
)


def json_schema(answer: str, reference: str) -> float:
    """Score 1 when the answer, or its one fenced block, is JSON and valid by the schema.

    Numbers count as they are written: 19.99 is a multiple of 0.01. NaN, Infinity and objects with a key twice are not
    JSON. An answer of more than 100,000 characters is not read: it scores 0.
    """
    validator = reference_validator(reference)
    try:
        with localcontext(prec=_DIGITS):
            return float(validator.is_valid(_parse(_json_text(without_thinking(answer).strip()))))
    except (ValueError, RecursionError, ArithmeticError):
        return 0.0


def reference_validator(reference: str) -> Any:
    """Return a validator for the schema (draft 2020-12 unless `$schema` names another).

    Nothing is ever fetched. Raises UsageError when the reference is not JSON, not a schema, or refers to a
    schema that it does not hold.
    """
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY, UnknownDialect, specification_with

    try:
        schema = _parse(reference)
        kind = (
            validator_for(schema, default=Draft202012Validator)
            if isinstance(schema, dict)
            else Draft202012Validator
        )
        _check(kind, schema)
        dialect = schema.get("$schema") if isinstance(schema, dict) else None
        specification = specification_with(dialect) if dialect else DRAFT202012
        _follow_references(kind, specification, schema)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"The json grader's reference is not JSON ({error}): write a JSON schema."
        ) from error
    except SchemaError as error:
        raise UsageError(
            f"The json grader's reference is not a JSON schema ({error.message}): fix it."
        ) from error
    except UnknownDialect as error:
        raise UsageError(
            f"The json grader does not know the reference's $schema {error.uri!r}: leave it out for 2020-12."
        ) from error
    except Unresolvable as error:
        raise UsageError(
            f"The json grader never fetches a schema: put {error.ref!r} into the reference's $defs."
        ) from error
    return kind(schema, registry=EMPTY_REGISTRY)


def _check(kind: Any, schema: object) -> None:
    """Raise jsonschema's SchemaError for what is no schema of this kind; its own check wants an object."""
    from jsonschema import SchemaError

    if not isinstance(schema, dict | bool):
        raise SchemaError("a schema is an object, true or false")
    kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)


def _follow_references(kind: Any, specification: Specification[Schema], schema: Schema) -> None:
    """Check all that the schema refers to; raise referencing's Unresolvable for what it does not hold."""
    from referencing.jsonschema import EMPTY_REGISTRY

    root = specification.create_resource(schema)
    waiting = [(EMPTY_REGISTRY.resolver_with_root(root), root)]
    seen: set[int] = set()
    while waiting:
        resolver, resource = waiting.pop()
        waiting += [(resolver.in_subresource(part), part) for part in resource.subresources()]
        keywords = resource.contents if isinstance(resource.contents, dict) else {}
        for target in (keywords.get("$ref"), keywords.get("$dynamicRef")):
            if not isinstance(target, str):
                continue
            found = resolver.lookup(target)
            if id(found.contents) not in seen:
                seen.add(id(found.contents))
                _check(kind, found.contents)
                waiting.append((found.resolver, specification.create_resource(found.contents)))


def _json_text(answer: str) -> str:
    """Return the answer's one fenced block, or the answer itself when it has none or several."""
    if len(answer) > _ANSWER_LIMIT:
        raise ValueError("too long to be read")
    blocks = _FENCED.findall(answer)
    return blocks[0] if len(blocks) == 1 else answer


def _parse(text: str) -> Any:
    return strict_json(text, parse_float=_exact)


def _exact(digits: str) -> int | Decimal:
    """Return the number as it is written; a whole one is an integer, as JSON schemas have it."""
    number = Decimal(digits)
    return int(number) if number == number.to_integral_value() else number
