"""What servers send, in numbers of our own: by server, the body or the events and what is to be read out of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from zetaroute.domain import ToolCall
from zetaroute.wire.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One answer as it comes over the wire, and what it means."""

    name: str
    events: tuple[Any, ...]
    """One object is a whole answer, several are a stream; a text stands in it as it is."""
    format: str = "openai"
    text: str = "Yes."
    usage: Usage = field(default_factory=Usage)
    calls: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    finish_reason: str | None = "stop"
    streamed: bool = True

    @property
    def raw(self) -> bytes:
        """The bytes of the body."""
        if not self.streamed:
            return json.dumps(self.events[0], ensure_ascii=False).encode()
        return b"".join(map(_event, self.events))


def _event(payload: Any) -> bytes:
    if isinstance(payload, str):
        return f"{payload}\n\n".encode()
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload, ensure_ascii=False)}\n\n".encode()


DONE = "data: [DONE]"


def piece(content: Any = None, *, finish: Any = None, usage: Any = ..., **fields: Any) -> dict[str, Any]:
    """Return one chunk of a chat completion."""
    delta = {**({} if content is None else {"content": content}), **fields}
    chunk = {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return chunk if usage is ... else {**chunk, "usage": usage}


def counts(usage: Any) -> dict[str, Any]:
    """Return the chunk without choices that counts."""
    return {"model": "m", "choices": [], "usage": usage}


def whole(message: Any = "Yes.", *, usage: Any = None, finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    """Return a whole chat completion."""
    body = message if isinstance(message, dict) else {"content": message}
    choice = {"index": 0, "message": {"role": "assistant", **body}, "finish_reason": finish}
    return {"model": "m", "choices": [choice], "usage": usage, **fields}


def used(read: Any, wrote: Any, *, cached: Any = None, written: Any = None, reasoning: Any = None) -> Usage:
    return Usage(
        input_tokens=read,
        output_tokens=wrote,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def chat(read: Any, wrote: Any, total: Any = None, **more: Any) -> dict[str, Any]:
    """Return usage under the names of chat completions."""
    usage = {"prompt_tokens": read, "completion_tokens": wrote, **more}
    return usage if total is None else {**usage, "total_tokens": total}


def plain(name: str, usage: Any, means: Usage, **fields: Any) -> Shape:
    """Return the shape of a whole answer with some usage."""
    return Shape(name=name, events=(whole(usage=usage, **fields),), usage=means, streamed=False)


def stream(name: str, *events: Any, **means: Any) -> Shape:
    return Shape(name=name, events=events, **means)


def call(name: str, arguments: str, call_id: str = "") -> ToolCall:
    return ToolCall(name=name, arguments=arguments, id=call_id)


def part(name: Any = None, arguments: Any = None, call_id: Any = None, index: Any = None) -> dict[str, Any]:
    """Return a tool call, or a part of one."""
    function = {"name": name, "arguments": arguments}
    fields = {"id": call_id, "index": index}
    return {
        "type": "function",
        "function": {key: value for key, value in function.items() if value is not None},
        **{key: value for key, value in fields.items() if value is not None},
    }


HALVES = (piece("Ye"), piece("s."))
END = piece(finish="stop")
PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'
TWO = (call("weather", PARIS, "a"), call("time", ROME, "b"))
CALLED = piece(finish="tool_calls")

USAGES = (
    plain("OpenAI", chat(41, 9, 50), used(41, 9)),
    plain(
        "OpenAI, cached and reasoned inside",
        chat(
            900,
            300,
            1200,
            prompt_tokens_details={"cached_tokens": 640, "audio_tokens": 0},
            completion_tokens_details={"reasoning_tokens": 256},
        ),
        used(900, 300, cached=640, reasoning=256),
    ),
    plain(
        "Azure, with its filters", chat(30, 4, 34), used(30, 4), prompt_filter_results=[{"prompt_index": 0}]
    ),
    plain(
        "OpenAI, names of responses",
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 64},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 12},
            "total_tokens": 95,
        },
        used(75, 20, cached=64, reasoning=12),
    ),
    plain("Gemini, thoughts in the total alone", chat(14, 5, 419), used(14, 405, reasoning=400)),
    plain(
        "xAI, reasoning beside the output",
        chat(18, 2, 520, completion_tokens_details={"reasoning_tokens": 500}),
        used(18, 502, reasoning=500),
    ),
    plain(
        "reasoning above the output, no total",
        chat(18, 2, completion_tokens_details={"reasoning_tokens": 500}),
        used(18, 502, reasoning=500),
    ),
    plain(
        "all output is reasoning, counted as none",
        chat(33, 0, 93, completion_tokens_details={"reasoning_tokens": 60}),
        used(33, 60, reasoning=60),
    ),
    plain("Mistral", chat(22, 7, 29, num_cached_tokens=16), used(22, 7, cached=16)),
    plain(
        "Mistral, details in the singular",
        chat(22, 7, 29, prompt_token_details={"cached_tokens": 16}),
        used(22, 7, cached=16),
    ),
    plain(
        "DeepSeek",
        chat(700, 88, 788, prompt_cache_hit_tokens=512, prompt_cache_miss_tokens=188),
        used(700, 88, cached=512),
    ),
    plain("Groq", {"queue_time": 0.01, **chat(55, 11, 66), "total_time": 0.2}, used(55, 11)),
    plain("Together", chat(61, 12, 73, cached_tokens=32), used(61, 12, cached=32)),
    plain(
        "OpenRouter",
        chat(
            4000,
            120,
            4120,
            cost=0.0123,
            prompt_tokens_details={"cached_tokens": 3000, "cache_write_tokens": 500},
            completion_tokens_details={"reasoning_tokens": 40},
        ),
        used(4000, 120, cached=3000, written=500, reasoning=40),
    ),
    plain(
        "LiteLLM in front of Anthropic",
        chat(
            2600,
            90,
            2690,
            cache_read_input_tokens=2000,
            cache_creation_input_tokens=500,
            prompt_tokens_details={"cached_tokens": 2000},
        ),
        used(2600, 90, cached=2000, written=500),
    ),
    plain(
        "a gateway that leaves cached tokens out of the prompt",
        chat(100, 90, 2190, cache_read_input_tokens=2000),
        used(2100, 90, cached=2000),
    ),
    plain("vLLM, details null", chat(17, 6, 23, prompt_tokens_details=None), used(17, 6)),
    plain("SGLang", chat(17, 46, 63, reasoning_tokens=40), used(17, 46, reasoning=40)),
    plain("LM Studio", chat(19, 8, 27), used(19, 8), stats={"tokens_per_second": 50.1}),
    plain("Ollama", chat(26, 290, 316), used(26, 290)),
    plain(
        "llama.cpp, timings beside",
        chat(36, 9, 45),
        used(36, 9, cached=30),
        timings={"prompt_n": 6, "cache_n": 30, "predicted_n": 9},
    ),
    plain(
        "llama.cpp, timings alone",
        None,
        used(36, 9, cached=30),
        timings={"prompt_n": 6, "cache_n": 30, "predicted_n": 9},
    ),
    plain("output left to the total", {"prompt_tokens": 40, "total_tokens": 52}, used(40, 12)),
    plain("input left to the total", {"completion_tokens": 12, "total_tokens": 52}, used(40, 12)),
    plain("nothing", None, used(None, None)),
    plain("texts for numbers", {"prompt_tokens": "12", "completion_tokens": "3"}, used(None, None)),
    plain(
        "signs, truths and fractions",
        {"prompt_tokens": -12, "completion_tokens": True, "total_tokens": 3.5},
        used(None, None),
    ),
    plain("a fraction without one", {"prompt_tokens": 12.0, "completion_tokens": 3.0}, used(12, 3)),
    plain("beyond counting", {"prompt_tokens": 10**400, "completion_tokens": 2**53 + 1}, used(None, None)),
    plain(
        "not a number", {"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, used(None, None)
    ),
    plain("a list", [1, 2], used(None, None)),
)

STREAMS = (
    stream(
        "OpenAI", piece("", role="assistant"), *HALVES, END, counts(chat(41, 9, 50)), DONE, usage=used(41, 9)
    ),
    stream(
        "OpenAI, usage null until the end",
        piece("Ye", usage=None),
        piece("s.", usage=None),
        piece(finish="stop", usage=None),
        counts(chat(41, 9, 50)),
        DONE,
        usage=used(41, 9),
    ),
    stream("Azure, filters first", {"choices": [], "prompt_filter_results": [{}]}, *HALVES, END, DONE),
    stream(
        "Gemini behind a gateway",
        piece("Ye", finish="stop"),
        piece("s.", finish="stop", usage=chat(14, 5, 419)),
        DONE,
        usage=used(14, 405, reasoning=400),
    ),
    stream(
        "Gemini, a reason of its own in capitals", *HALVES, piece(finish="STOP"), DONE, finish_reason="STOP"
    ),
    stream(
        "the word null for no reason",
        piece("Ye", finish="null"),
        piece("s.", finish="null"),
        piece(finish="stop"),
        DONE,
    ),
    stream("an empty reason", piece("Ye", finish=""), piece("s.", finish=""), piece("", finish="stop"), DONE),
    stream("no reason at all", *HALVES, DONE, finish_reason=None),
    stream(
        "no reason, no sign-off, counts",
        *HALVES,
        counts(chat(41, 9, 50)),
        usage=used(41, 9),
        finish_reason=None,
    ),
    stream("text behind the reason", piece("Ye", finish="stop"), piece("s."), DONE),
    stream("no sign-off", *HALVES, END),
    stream(
        "Groq, counts in a field of its own",
        *HALVES,
        {**END, "x_groq": {"usage": chat(55, 11, 66)}},
        DONE,
        usage=used(55, 11),
    ),
    stream(
        "Together, counts with the reason",
        *HALVES,
        piece(finish="stop", usage=chat(61, 12, 73)),
        DONE,
        usage=used(61, 12),
    ),
    stream(
        "counts within the choice",
        *HALVES,
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": chat(61, 12, 73)}]},
        DONE,
        usage=used(61, 12),
    ),
    stream("counts without choices", *HALVES, END, {"usage": chat(61, 12, 73)}, DONE, usage=used(61, 12)),
    stream(
        "vLLM, counts that grow",
        piece("Ye", usage=chat(17, 1, 18)),
        piece("s.", usage=chat(17, 2, 19)),
        piece(finish="stop", usage=chat(17, 3, 20)),
        DONE,
        usage=used(17, 3),
    ),
    stream(
        "counts early, zeros late",
        piece("Ye", usage=chat(800, 40, 840)),
        piece("s."),
        piece(finish="stop", usage=chat(0, 0, 0)),
        DONE,
        usage=used(800, 40),
    ),
    stream(
        "counts early, nulls late",
        piece("Ye", usage=chat(800, 40, 840)),
        piece("s."),
        piece(finish="stop", usage=chat(None, None)),
        DONE,
        usage=used(800, 40),
    ),
    stream(
        "counts in two halves",
        piece("Ye", usage={"prompt_tokens": 800}),
        piece("s."),
        piece(finish="stop", usage={"completion_tokens": 40}),
        DONE,
        usage=used(800, 40),
    ),
    stream(
        "OpenRouter, comments while it waits",
        ": OPENROUTER PROCESSING",
        *HALVES,
        END,
        counts(chat(70, 3, 73, cost=0.1)),
        DONE,
        usage=used(70, 3),
    ),
    stream(
        "llama.cpp, timings with the reason",
        *HALVES,
        {**END, "timings": {"prompt_n": 6, "predicted_n": 9}},
        DONE,
        usage=used(6, 9),
    ),
    stream(
        "DeepSeek, reasoning first",
        piece(reasoning_content="Let me "),
        piece(reasoning_content="see."),
        *HALVES,
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "vLLM, reasoning of another name",
        piece(reasoning="Let me see."),
        *HALVES,
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "one thought under two names",
        piece(reasoning="Let me see.", reasoning_content="Let me see."),
        *HALVES,
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "OpenRouter, thoughts in details",
        piece(reasoning_details=[{"type": "reasoning.text", "text": "Let me see."}]),
        *HALVES,
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "Mistral, thoughts as parts",
        piece([{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}]),
        piece([{"type": "text", "text": "Yes."}]),
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "a reason with the thoughts",
        piece(reasoning_content="Let me see.", finish="stop"),
        *HALVES,
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "marks in the text",
        piece("<th"),
        piece("ink>Let me"),
        piece(" see.</thi"),
        piece("nk>\n\nYes."),
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream("marks of Magistral", piece("[THINK]Let me see.[/THINK]Yes."), END, DONE, thinking="Let me see."),
    stream(
        "marks of another model",
        piece(" <thought>\nLet me see.\n</thought>\nYes."),
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "a mark that opened in the prompt",
        piece("Let me see.\n</think>\n\n"),
        piece("Yes."),
        END,
        DONE,
        thinking="Let me see.",
    ),
    stream(
        "a mark that is only spoken of", piece("`</think>` ends it."), END, DONE, text="`</think>` ends it."
    ),
    stream("nearly a mark", piece("<thin"), piece("g>"), END, DONE, text="<thing>"),
    stream(
        "refusal",
        piece(refusal="Not "),
        piece(refusal="this."),
        END,
        DONE,
        text="Not this.",
        finish_reason="refusal",
    ),
    stream("cut at the limit", *HALVES, piece(finish="length"), DONE, finish_reason="length"),
    stream(
        "a whole message behind the pieces",
        *HALVES,
        {"choices": [{"index": 0, "delta": {}, "message": {"content": "Yes."}, "finish_reason": "stop"}]},
        DONE,
    ),
    stream(
        "a second choice",
        piece("Ye"),
        {"choices": [{"index": 1, "delta": {"content": "No."}}]},
        piece("s."),
        END,
        DONE,
    ),
    Shape(
        name="refusal, whole",
        events=(whole({"content": None, "refusal": "Not this."}),),
        text="Not this.",
        finish_reason="refusal",
        streamed=False,
    ),
)

CALLS = (
    stream(
        "OpenAI, two calls in pieces",
        piece(tool_calls=[part("weather", "", "a", 0)]),
        piece(tool_calls=[part(arguments='{"city": ', index=0)]),
        piece(tool_calls=[part(arguments='"Paris"}', index=0)]),
        piece(tool_calls=[part("time", "", "b", 1)]),
        piece(tool_calls=[part(arguments=ROME, index=1)]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "Ollama, two calls under one number",
        piece(tool_calls=[part("weather", PARIS, "a", 0)]),
        piece(tool_calls=[part("time", ROME, "b", 0)]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "two calls without numbers",
        piece(tool_calls=[part("weather", PARIS, "a")]),
        piece(tool_calls=[part("time", ROME, "b")]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "two calls without numbers and names, one number",
        piece(tool_calls=[part("weather", PARIS, index=0)]),
        piece(tool_calls=[part("time", ROME, index=0)]),
        CALLED,
        DONE,
        calls=(call("weather", PARIS), call("time", ROME)),
    ),
    stream(
        "one tool twice, one number, no names",
        piece(tool_calls=[part("weather", PARIS, index=0)]),
        piece(tool_calls=[part("weather", ROME, index=0)]),
        CALLED,
        DONE,
        calls=(call("weather", PARIS), call("weather", ROME)),
    ),
    stream(
        "pieces without numbers",
        piece(tool_calls=[part("weather", '{"city"', "a")]),
        piece(tool_calls=[part(arguments=': "Paris"}')]),
        piece(tool_calls=[part("time", ROME, "b")]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "both calls in one piece, no numbers",
        piece(tool_calls=[part("weather", PARIS, "a"), part("time", ROME, "b")]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "a name with every piece",
        piece(tool_calls=[part("weather", '{"city": ', "a", 0)]),
        piece(tool_calls=[part("weather", '"Paris"}', "a", 0)]),
        piece(tool_calls=[part("time", ROME, "b", 1)]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "a name in pieces",
        piece(tool_calls=[part("wea", "", "a", 0)]),
        piece(tool_calls=[part("ther", PARIS, index=0)]),
        piece(tool_calls=[part("time", ROME, "b", 1)]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "arguments that grow",
        piece(tool_calls=[part("weather", '{"ci', "a", 0)]),
        piece(tool_calls=[part(arguments='{"city": "P', index=0)]),
        piece(tool_calls=[part(arguments=PARIS, index=0)]),
        piece(tool_calls=[part("time", ROME, "b", 1)]),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "all of it again at the end",
        piece(tool_calls=[part("weather", '{"city": ', "a", 0)]),
        piece(tool_calls=[part(arguments='"Paris"}', index=0)]),
        piece(tool_calls=[part("time", ROME, "b", 1)]),
        piece(tool_calls=[part("weather", PARIS, "a", 0), part("time", ROME, "b", 1)], finish="tool_calls"),
        DONE,
        calls=TWO,
    ),
    stream(
        "no arguments",
        piece(tool_calls=[part("now", "", "a", 0)]),
        CALLED,
        DONE,
        calls=(call("now", "{}", "a"),),
    ),
    stream(
        "null for arguments",
        piece(tool_calls=[{"id": "a", "function": {"name": "now", "arguments": None}}]),
        CALLED,
        DONE,
        calls=(call("now", "{}", "a"),),
    ),
    stream(
        "arguments as an object",
        piece(
            tool_calls=[part("weather", {"city": "Paris"}, "a", 0), part("time", {"city": "Rome"}, "b", 1)]
        ),
        CALLED,
        DONE,
        calls=TWO,
    ),
    stream(
        "nested arguments",
        piece(tool_calls=[part("f", '{"a":', "a", 0)]),
        piece(tool_calls=[part(arguments='{"a":1}}', index=0)]),
        CALLED,
        DONE,
        calls=(call("f", '{"a":{"a":1}}', "a"),),
    ),
    stream(
        "legacy function call",
        piece(function_call={"name": "weather", "arguments": ""}),
        piece(function_call={"arguments": PARIS}),
        piece(finish="function_call"),
        DONE,
        calls=(call("weather", PARIS),),
        finish_reason="function_call",
    ),
    stream(
        "words and a call",
        piece("Yes."),
        piece(tool_calls=[part("weather", PARIS, "a", 0)]),
        CALLED,
        DONE,
        calls=TWO[:1],
        finish_reason="tool_calls",
    ),
    Shape(
        name="Ollama, whole calls without numbers and names",
        events=(whole({"content": "", "tool_calls": [part("weather", PARIS), part("weather", PARIS)]}),),
        calls=(call("weather", PARIS),) * 2,
        finish_reason="stop",
        streamed=False,
    ),
    Shape(
        name="a custom tool",
        events=(
            whole(
                {
                    "content": None,
                    "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "run", "input": "ls"}}],
                },
                finish="tool_calls",
            ),
        ),
        calls=(call("run", "ls", "a"),),
        finish_reason="tool_calls",
        streamed=False,
    ),
)


def anthropic(name: str, *events: Any, **means: Any) -> Shape:
    return Shape(
        name=f"Anthropic, {name}", events=events, format="anthropic", **{"finish_reason": "end_turn", **means}
    )


def started(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"model": "m", "usage": usage}}


def block(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def grows(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def ends(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


SAID = (
    block(0, type="text", text=""),
    grows(0, type="text_delta", text="Ye"),
    grows(0, type="text_delta", text="s."),
)
STOP = {"type": "message_stop"}
MESSAGES = (
    anthropic(
        "counts at both ends",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(25, 15),
    ),
    anthropic(
        "cache",
        started(
            input_tokens=25, cache_read_input_tokens=1000, cache_creation_input_tokens=200, output_tokens=1
        ),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(1225, 15, cached=1000, written=200),
    ),
    anthropic(
        "all counts again at the end",
        started(input_tokens=25, cache_read_input_tokens=1000, output_tokens=1),
        *SAID,
        ends(input_tokens=25, cache_read_input_tokens=1000, output_tokens=15),
        STOP,
        usage=used(1025, 15, cached=1000),
    ),
    anthropic(
        "zeros at the start",
        started(input_tokens=0, output_tokens=0),
        *SAID,
        ends(input_tokens=25, output_tokens=15),
        STOP,
        usage=used(25, 15),
    ),
    anthropic(
        "thinking",
        started(input_tokens=25, output_tokens=1),
        block(0, type="thinking", thinking=""),
        grows(0, type="thinking_delta", thinking="Let me see."),
        *SAID,
        ends(output_tokens=15),
        STOP,
        usage=used(25, 15),
        thinking="Let me see.",
    ),
    anthropic(
        "two tools",
        started(input_tokens=25, output_tokens=1),
        block(0, type="tool_use", id="a", name="weather", input={}),
        grows(0, type="input_json_delta", partial_json='{"city": '),
        grows(0, type="input_json_delta", partial_json='"Paris"}'),
        block(1, type="tool_use", id="b", name="time", input={}),
        grows(1, type="input_json_delta", partial_json=ROME),
        ends("tool_use", output_tokens=15),
        STOP,
        usage=used(25, 15),
        calls=TWO,
        finish_reason="tool_use",
    ),
    anthropic(
        "a tool without arguments",
        started(input_tokens=25, output_tokens=1),
        block(0, type="tool_use", id="a", name="now", input={}),
        ends("tool_use", output_tokens=15),
        STOP,
        usage=used(25, 15),
        calls=(call("now", "{}", "a"),),
        finish_reason="tool_use",
    ),
    anthropic(
        "cut",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends("max_tokens", output_tokens=15),
        STOP,
        usage=used(25, 15),
        finish_reason="max_tokens",
    ),
    anthropic(
        "refusal",
        started(input_tokens=25, output_tokens=1),
        *SAID,
        ends("refusal", output_tokens=15),
        STOP,
        usage=used(25, 15),
        finish_reason="refusal",
    ),
    Shape(
        name="Anthropic, whole",
        format="anthropic",
        streamed=False,
        events=(
            {
                "type": "message",
                "model": "m",
                "content": [
                    {"type": "thinking", "thinking": "Let me see."},
                    {"type": "text", "text": "Yes."},
                ],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 25, "output_tokens": 15},
            },
        ),
        usage=used(25, 15),
        thinking="Let me see.",
        finish_reason="end_turn",
    ),
)

SHAPES = (*USAGES, *STREAMS, *CALLS, *MESSAGES)
