"""Packages that build on the SDKs, unchanged: plain, streamed, with a tool, by a schema, over both wire formats."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MODELS = ("chat/m", "messages/m", "auto")
ASKED = "2 + 2?"
SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'


def weather(city: str) -> str:
    """Tell the weather in a city."""
    assert city == "Oslo"
    return "-3"


def pydantic_ai(url: str) -> None:
    """Agents over chat completions, Responses and Messages."""
    from pydantic import BaseModel
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    class City(BaseModel):
        city: str

    by_openai = OpenAIProvider(base_url=f"{url}/v1", api_key="none")
    by_anthropic = AnthropicProvider(base_url=url, api_key="none")

    async def streamed(agent: Any) -> str:
        async with agent.run_stream(ASKED) as run:
            return "".join([piece async for piece in run.stream_text(delta=True)])

    async def tried() -> None:
        for name in MODELS:
            for model in (
                OpenAIChatModel(name, provider=by_openai),
                OpenAIResponsesModel(name, provider=by_openai),
                AnthropicModel(name, provider=by_anthropic),
            ):
                assert (await Agent(model).run(ASKED)).output == "four"
                assert await streamed(Agent(model)) == "four"
                run = await Agent(model, tools=[weather]).run("The weather in Oslo?")
                assert (run.output, len(run.all_messages())) == ("four", 4)
                shaped = await Agent(model, tools=[weather], output_type=City).run("Where?")
                assert shaped.output == City(city="Oslo")

    asyncio.run(tried())


def langchain(url: str) -> None:
    """Chat models over chat completions and Responses."""
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from pydantic import BaseModel

    class City(BaseModel):
        city: str

    for name in MODELS:
        for by_responses in (False, True):
            model = ChatOpenAI(
                model=name,
                base_url=f"{url}/v1",
                api_key="none",
                use_responses_api=by_responses,
                max_retries=0,
            )
            assert model.invoke(ASKED).text == "four"
            assert "".join(piece.text for piece in model.stream(ASKED)) == "four"
            able, asked = model.bind_tools([tool(weather)]), HumanMessage("The weather in Oslo?")
            answer = able.invoke([asked])
            (call,) = answer.tool_calls
            assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
            told = ToolMessage(weather(**call["args"]), tool_call_id=call["id"])
            assert able.invoke([asked, answer, told]).text == "four"
            assert model.with_structured_output(City).invoke("Where?") == City(city="Oslo")


def llm(url: str) -> None:
    """The command `llm` with a model of its list of others."""
    listed = f"""
- model_id: zetaroute
  model_name: auto
  api_base: {url}/v1
  supports_schema: true
  supports_tools: true
"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "extra-openai-models.yaml").write_text(listed, encoding="utf-8")
        program = Path(sys.executable).with_name("llm")
        tool = "def weather(city: str) -> str:\n    'Tell the weather.'\n    return '-3'\n"
        for words, said in (
            ([ASKED, "--no-stream"], "four"),
            ([ASKED], "four"),
            (["Where?", "--schema", SCHEMA], '{"city": "Oslo"}'),
            (["The weather in Oslo?", "--functions", tool], "four"),
        ):
            done = subprocess.run(
                [str(program), "-m", "zetaroute", "--key", "none", *words],
                env={**os.environ, "LLM_USER_PATH": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.strip() == said, f"{words}: {done.stdout} {done.stderr}"


def instructor(url: str) -> None:
    """Answers by a schema, in every mode that OpenAI's client has, whole and in parts."""
    import instructor as package
    import openai
    from pydantic import BaseModel

    class City(BaseModel):
        city: str

    asked: Any = [{"role": "user", "content": "Where?"}]
    for name in MODELS:
        for mode in (package.Mode.TOOLS, package.Mode.JSON_SCHEMA):
            client = package.from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key="none"), mode=mode)
            made = client.chat.completions.create(model=name, messages=asked, response_model=City)
            assert made.city == "Oslo"
            parts = list(
                client.chat.completions.create_partial(model=name, messages=asked, response_model=City)
            )
            assert parts[-1].city == "Oslo"


def llama_index(url: str) -> None:
    """A model like OpenAI's."""
    from llama_index.core.llms import ChatMessage
    from llama_index.core.tools import FunctionTool
    from llama_index.llms.openai_like import OpenAILike

    for name in MODELS:
        model = OpenAILike(
            model=name,
            api_base=f"{url}/v1",
            api_key="none",
            is_chat_model=True,
            is_function_calling_model=True,
        )
        assert model.complete(ASKED).text == "four"
        assert "".join(piece.delta or "" for piece in model.stream_chat([ChatMessage(ASKED)])) == "four"
        tool = FunctionTool.from_defaults(weather)
        answer = model.chat_with_tools([tool], user_msg="The weather in Oslo?")
        (call,) = model.get_tool_calls_from_response(answer)
        assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Oslo"})


if __name__ == "__main__":
    {one.__name__: one for one in (pydantic_ai, langchain, llm, instructor, llama_index)}[sys.argv[2]](
        sys.argv[1]
    )
