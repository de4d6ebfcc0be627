"""The packages `openai` and `anthropic`, unchanged, over models of both wire formats."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ARGUMENTS = '{"city": "Oslo"}'
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def openai_chat(client: Any, model: str) -> None:
    """Chat completions, plain and streamed, with a tool; completions before them."""
    asked: list[Any] = [{"role": "user", "content": "2 + 2?"}]
    assert client.chat.completions.create(model=model, messages=asked).choices[0].message.content == "four"
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    with client.chat.completions.stream(model=model, messages=asked, tools=[tool]) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", ARGUMENTS)
    turn = {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
    asked += [{"role": "assistant", "tool_calls": [turn]}]
    asked += [{"role": "tool", "tool_call_id": call.id, "content": "-3"}]
    done = client.chat.completions.create(model="auto", messages=asked, tools=[tool])
    assert done.choices[0].message.content == "four"
    # Who called is told what the tool said.
    assert done.model == model
    assert client.completions.create(model=model, prompt="2 + 2?").choices[0].text == "four"
    pieces = client.completions.create(model=model, prompt="2 + 2?", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == "four"


def openai_responses(client: Any, model: str) -> None:
    """Responses, plain and streamed, with a tool, going on from each other, by a schema."""
    first = client.responses.create(model=model, input="2 + 2?", instructions="be brief")
    assert (first.output_text, first.status, first.usage.total_tokens) == ("four", "completed", 15)
    tool = {"type": "function", "name": "weather", "parameters": CITY}
    with client.responses.stream(
        model=model, input="And in Oslo?", previous_response_id=first.id, tools=[tool]
    ) as stream:
        kinds = [event.type for event in stream]
        done = stream.get_final_response()
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert "response.function_call_arguments.delta" in kinds
    assert kinds[-1] == "response.completed"
    (call,) = [item for item in done.output if item.type == "function_call"]
    assert (call.name, call.arguments) == ("weather", ARGUMENTS)
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "-3"}]
    again = client.responses.create(model="auto", input=results, previous_response_id=done.id, tools=[tool])
    assert (again.output_text, again.model) == ("four", model)
    with client.responses.stream(model=model, input="2 + 2?") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert text == stream.get_final_response().output_text == "four"
    form = {"type": "json_schema", "name": "city", "schema": CITY}
    shaped = client.responses.create(model=model, input="Where?", text={"format": form})
    assert json.loads(shaped.output_text) == {"city": "Oslo"}


def anthropic_messages(client: Any, model: str) -> None:
    """Messages, plain and streamed, with a tool, thinking and an image; counted tokens."""
    asked: list[Any] = [{"role": "user", "content": "2 + 2?"}]
    assert client.messages.count_tokens(model=model, messages=asked).input_tokens > 0
    whole = client.messages.create(model=model, max_tokens=99, messages=asked)
    assert (whole.content[0].text, whole.stop_reason, whole.usage.output_tokens) == ("four", "end_turn", 5)
    image = {"type": "base64", "media_type": "image/png", "data": PNG}
    seen = [{"role": "user", "content": [{"type": "image", "source": image}, {"type": "text", "text": "?"}]}]
    with client.messages.stream(model=model, max_tokens=99, messages=seen, system="brief") as stream:
        assert "".join(stream.text_stream) == "four"
    tool = {"name": "weather", "input_schema": CITY}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    terms = {"model": model, "max_tokens": 2048, "tools": [tool], "thinking": thinking}
    for message in (client.messages.create(messages=asked, **terms), streamed(client, asked, terms)):
        use = message.content[-1]
        assert (use.type, use.name, use.input) == ("tool_use", "weather", {"city": "Oslo"})
        assert message.stop_reason == "tool_use"
        if model == "messages/m":
            assert (message.content[0].thinking, message.content[0].signature) == ("hm", "sig")
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "-3"}
        turns = [*asked, {"role": "assistant", "content": message.content}]
        turns += [{"role": "user", "content": [result]}]
        last = client.messages.create(messages=turns, **{**terms, "model": "auto"})
        assert (last.content[-1].text, last.model) == ("four", model)


def agents(openai_client: Any, anthropic_client: Any) -> None:
    """Thirty turns of two agents, in which each call of a tool is answered by the model that made it."""
    turns: list[Any] = []
    session = {"x-claude-code-session-id": "s1"}
    terms: Any = {"model": "auto", "max_tokens": 99, "tools": [{"name": "weather", "input_schema": CITY}]}
    for number in range(15):
        turns.append({"role": "user", "content": f"Weather on day {number}?"})
        models = []
        for kind in ("tool_use", "text"):
            answer = anthropic_client.messages.create(messages=turns, extra_headers=session, **terms)
            assert answer.content[-1].type == kind
            models.append(answer.model)
            turns.append({"role": "assistant", "content": answer.content})
            if kind == "tool_use":
                result = {"type": "tool_result", "tool_use_id": answer.content[-1].id, "content": "-3"}
                turns.append({"role": "user", "content": [result]})
        assert models[0] == models[1]
    tool: Any = {"type": "function", "name": "weather", "parameters": CITY}
    before = None
    for number in range(15):
        asked: Any = f"Weather on day {number}?"
        models = []
        for kind in ("function_call", "message"):
            answer = openai_client.responses.create(
                model="auto", input=asked, tools=[tool], previous_response_id=before
            )
            assert answer.output[-1].type == kind
            models.append(answer.model)
            before = answer.id
            if kind == "function_call":
                called = answer.output[-1].call_id
                asked = [{"type": "function_call_output", "call_id": called, "output": "-3"}]
        assert models[0] == models[1]


def streamed(client: Any, asked: list[Any], terms: dict[str, Any]) -> Any:
    """Return the message that a stream comes to."""
    with client.messages.stream(messages=asked, **terms) as stream:
        return stream.get_final_message()


def refusals(openai_client: Any, anthropic_client: Any) -> None:
    """Errors in the format of each."""
    import anthropic
    import openai

    for refuse, kind in (
        (lambda: openai_client.responses.create(model="none", input="x"), openai.NotFoundError),
        (
            lambda: openai_client.responses.create(model="auto", input="x", previous_response_id="resp_0"),
            openai.NotFoundError,
        ),
        (
            lambda: anthropic_client.messages.create(model="auto", max_tokens=9, messages=[]),
            anthropic.BadRequestError,
        ),
    ):
        told = None
        try:
            refuse()
        except kind as error:
            told = error.body
        assert told, f"{kind.__name__} was not raised"


def main(url: str) -> None:
    """Try everything with both models behind it."""
    import anthropic
    import openai

    os.environ.pop("ANTHROPIC_AUTH_TOKEN", None)
    by_openai = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    by_anthropic = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    for model in ("chat/m", "messages/m"):
        openai_chat(by_openai, model)
        openai_responses(by_openai, model)
        anthropic_messages(by_anthropic, model)
    agents(by_openai, by_anthropic)
    refusals(by_openai, by_anthropic)


if __name__ == "__main__":
    main(sys.argv[1])
