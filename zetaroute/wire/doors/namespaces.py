"""Tools of Responses: functions, and namespaces of them, as other formats have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zetaroute.wire.doors.door import Inbound, list_at, mapping_at
from zetaroute.wire.responses_request import qualified


def functions(tool: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    """Return the functions of a tool: itself, or those of a namespace under names that begin with its own."""
    if tool.get("type") == "namespace":
        inner = list_at(tool.get("tools"), f"{place}.tools")
        inner_functions = [mapping_at(one, f"{place}.tools[{number}]") for number, one in enumerate(inner)]
        named = [{**one, "name": qualified(tool.get("name"), one.get("name"))} for one in inner_functions]
        return [
            made for number, one in enumerate(named) for made in functions(one, f"{place}.tools[{number}]")
        ]
    if tool.get("type") != "function":
        return []
    known = ("name", "description", "parameters", "strict")
    return [{"type": "function", "function": {key: tool[key] for key in known if tool.get(key) is not None}}]


def namespaces(inbound: Inbound) -> dict[str, dict[str, Any]]:
    """Return what a call of each function of a namespace is told as, by the name that models know."""
    spaces = [tool for tool in inbound.echo.get("tools", ()) if tool.get("type") == "namespace"]
    return {
        qualified(space["name"], one.get("name")): {"name": one.get("name"), "namespace": space["name"]}
        for space in spaces
        if isinstance(space.get("name"), str)
        for one in space["tools"]
    }
