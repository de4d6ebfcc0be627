"""What servers count, in whole answers."""

from __future__ import annotations

from .building import chat, plain, used

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
