"""How many tokens a query may have."""

from __future__ import annotations

from zetaroute.domain import Message, Native, Query

TOOLS = [{"type": "function", "function": {"name": "f", "description": "x" * 4000}}]


def test_what_is_read_beside_the_words_counts_once() -> None:
    plain = Query(text="hi").tokens()
    with_tools = Query(text="hi", options={"tools": TOOLS}).tokens()
    assert 1000 <= with_tools - plain <= 1050
    native = Native(format="anthropic", body={"tools": TOOLS})
    assert Query(text="hi", native=native).tokens() == with_tools
    assert Query(text="hi", native=native, options={"tools": TOOLS}).tokens() == with_tools
    called = Message(role="assistant", content="", fields={"tool_calls": TOOLS})
    assert Query(text="hi", history=(called,)).tokens() > with_tools
