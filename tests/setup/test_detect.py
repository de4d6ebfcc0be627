"""What runs on this machine is found, whatever it says, and what is proposed of it loads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.providers.loopback import ModelServer, Running, http
from tests.support.waiting import PATIENCE_S
from zetaroute.config import ImportedPrice, parse_settings
from zetaroute.domain import Prices
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.setup.detect import Server, ServerAddress, detect, places_at
from zetaroute.setup.propose import billions, prior, proposed_config
from zetaroute.setup.services import available_services, hosted_services


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


def place(server: ModelServer, **more) -> ServerAddress:
    return ServerAddress(name="Ollama", prefix="ollama", base_url=f"{server.url}/v1", **more)


def found(*places: ServerAddress) -> list[Server]:
    return asyncio.run(detect(places))


def models(*names: str) -> dict[str, object]:
    return {"data": [{"id": name} for name in names]}


def config(*servers: Server, services=(), preset=None, priced=None):
    text = proposed_config(servers, services, preset=preset, priced=priced or {})
    return text, parse_settings(text, file=None)


def test_both_lists_of_ollama_are_read(server):
    tags = {"models": [{"name": "llama3:latest", "details": {"parameter_size": "8.0B"}}]}
    server.reply(
        lambda seen: http(tags if seen.target == "/api/tags" else models("llama3:latest", "nomic-embed-text"))
    )
    (one,) = found(place(server, further=("/api/tags",)))
    assert (one.chat, one.embedding, one.sizes) == (
        ("llama3:latest",),
        ("nomic-embed-text",),
        {"llama3:latest": "8.0B"},
    )
    text, settings = config(one)
    assert [arm.id for arm in settings.arms] == ["ollama/llama3:latest"]
    assert settings.arms[0].prior_accuracy == 0.63
    assert '# model = "nomic-embed-text"' in text


def test_proxies_are_never_asked(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.reply(http(models("a")))
    assert found(place(server))[0].chat == ("a",)


def test_silence_costs_moments_however_many_places(server):
    server.reply((2 * PATIENCE_S, *http(models("a"))))
    servers = found(*(place(server) for _ in range(6)))
    assert {one.answers for one in servers} == {False}
    # All were asked at the same time.
    assert server.peak == 6


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http("<html>", content_type="text/html"), "sent no list of models"),
        (http({"error": "who?"}, status=401), "refused the key"),
        (http({}, status=404), "HTTP 404"),
    ],
)
def test_another_program_at_the_port_is_told(server, reply, words):
    server.reply(reply)
    (one,) = found(place(server))
    assert one.answers
    assert words in (one.error or "")


def test_nobody_at_the_port():
    (one,) = found(ServerAddress(name="x", prefix="x", base_url="http://127.0.0.1:9/v1"))
    assert (one.answers, one.error) == (False, None)


@pytest.mark.parametrize(
    ("name", "told", "size"),
    [
        ("llama3.2:3b", None, 3),
        ("qwen2.5-0.5b-instruct", None, 0.5),
        ("Qwen/Qwen2.5-32B-Instruct", None, 32),
        ("mixtral:8x7b", None, 56),
        ("qwen3-30b-a3b", None, 30),
        ("smollm2:135m", None, 0.135),
        ("phi4", "14.7B", 14.7),
        ("gpt-4.1", None, None),
        ("llama3.2", None, None),
        ("model-v2bis", None, None),
    ],
)
def test_sizes_are_read_from_names(name, told, size):
    assert billions(name, told) == size


def test_priors_grow_with_size_within_limits():
    sizes = (0.1, 1, 3, 7, 14, 70, 2000)
    accuracies = [prior(size)[0] for size in sizes]
    assert accuracies == sorted(accuracies)
    assert accuracies[2:6] == [0.55, 0.62, 0.68, 0.82]
    assert (accuracies[0], accuracies[-1]) == (0.3, 0.85)
    assert prior(None)[0] == 0.6


def test_of_many_models_a_few_take_part_and_the_others_are_named(server):
    names = [f"m:{size}b" for size in (70, 3, 14, 1, 7)]
    server.reply(http(models(*names)))
    text, settings = config(*found(place(server)))
    assert [arm.model for arm in settings.arms] == ["m:1b", "m:7b", "m:70b"]
    assert "# Also there: m:3b, m:14b" in text


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "ü ß", "x\n[objective]\nevil = 1", "a\x7fb", "]]", "/m/a.gguf"]
)
def test_names_cannot_break_the_file(server, name):
    server.reply(http(models(name, "ok:3b")))
    (one,) = found(place(server))
    _, settings = config(one)
    assert "ollama/ok:3b" in {arm.id for arm in settings.arms}


def test_files_with_one_name_keep_their_folders(server):
    server.reply(http(models("/a/m.gguf", "/b/m.gguf")))
    _, settings = config(*found(place(server)))
    assert {arm.id for arm in settings.arms} == {"ollama//a/m.gguf", "ollama//b/m.gguf"}


def test_what_is_not_on_this_machine_is_neither_local_nor_free():
    far = places_at(["https://models.example.org/v1", "http://127.0.0.1:7/v1"])
    assert [(one.prefix, one.local) for one in far] == [("server", False), ("server2", True)]
    _, settings = config(Server(place=far[0], chat=("big",)), Server(place=far[1], chat=("own",)))
    assert [(arm.id, arm.prices is None, arm.local) for arm in settings.arms] == [
        ("server/big", True, False),
        ("server2/own", False, True),
    ]
    with pytest.raises(UsageError):
        places_at(["127.0.0.1:80"])


def test_every_service_makes_a_config_that_loads():
    _, settings = config(services=hosted_services(), preset="cheap")
    assert len(settings.arms) == sum(len(service.models) for service in hosted_services())
    assert {arm.api_key_env for arm in settings.arms} == {service.key for service in hosted_services()}
    assert all(arm.prices is None for arm in settings.arms)
    assert settings.objective.answer_value_usd == 0.001


def test_keys_are_known_by_name_alone():
    opened = available_services({"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": "  ", "OTHER": "x"})
    assert [one.name for one in opened] == ["OpenAI"]
    text, _ = config(services=opened)
    assert "secret" not in text


def test_imported_prices_are_told_and_nothing_is_made_up():
    listed = ImportedPrice(model="gpt-4.1", listed="gpt-4.1", prices=Prices(input=2.0, output=8.0))
    text, settings = config(
        services=available_services({"OPENAI_API_KEY": "x"}), priced={"openai/gpt-4.1": listed}
    )
    assert "# price: 2 for input and 8 for output, by prices.toml" in text
    assert all(arm.prices is None for arm in settings.arms)


def litellm(server: ModelServer) -> ServerAddress:
    return ServerAddress(
        name="LiteLLM",
        prefix="litellm",
        base_url=f"{server.url}/v1",
        relays=True,
        further=("/model/info",),
        keys=("A_KEY", "B_KEY"),
    )


def deployment(name: str, **info: object) -> dict[str, object]:
    return {"model_name": name, "model_info": info}


def costs(given: float, taken: float) -> dict[str, object]:
    return {"input_cost_per_token": given, "output_cost_per_token": taken}


def guarded(*deployments: dict[str, object], key: str = "sk-ours"):
    """Answer who brings the key as LiteLLM does, and fail for all others."""

    def reply(seen):
        if seen.headers.get("authorization") != f"Bearer {key}":
            return http("Internal Server Error", status=500)
        names = dict.fromkeys(str(one["model_name"]) for one in deployments)
        return http({"data": list(deployments)} if seen.target == "/model/info" else models(*names))

    return reply


def test_a_proxy_that_wants_a_key_is_asked_with_it_and_for_its_prices(server, monkeypatch):
    monkeypatch.delenv("A_KEY", raising=False)
    monkeypatch.setenv("B_KEY", "sk-ours")
    server.reply(
        guarded(
            deployment("small-8b", **costs(1e-7, 2e-7)),
            deployment("big-70b", **costs(5e-6, 1e-5), cache_read_input_token_cost=5e-7),
            deployment("free", **costs(0, 0)),
        )
    )
    (one,) = found(litellm(server))
    assert (one.chat, one.key) == (("small-8b", "big-70b", "free"), "B_KEY")
    text, settings = config(one)
    assert {arm.model: arm.prices for arm in settings.arms} == {
        "small-8b": Prices(input=0.1, output=0.2),
        "big-70b": Prices(input=5, output=10, cached_input=0.5),
        "free": None,
    }
    assert {arm.api_key_env for arm in settings.arms} == {"B_KEY"}
    assert {arm.prior_response_s for arm in settings.arms} == {3.0}
    assert "sk-ours" not in text


def test_a_key_is_shown_to_nobody_who_does_not_ask_for_it(server, monkeypatch):
    monkeypatch.setenv("A_KEY", "sk-ours")
    server.reply(lambda seen: http(models("open")))
    (one,) = found(litellm(server))
    assert (one.chat, one.key) == (("open",), None)
    assert all("authorization" not in seen.headers for seen in server.seen)


def test_a_wrong_key_is_told_and_none_is_asked_for(server, monkeypatch):
    server.reply(guarded(deployment("small-8b")))
    monkeypatch.setenv("A_KEY", "sk-other")
    (one,) = found(litellm(server))
    assert (one.answers, one.key, one.chat) == (True, "A_KEY", ())
    assert "HTTP 500" in str(one.error)
    monkeypatch.delenv("A_KEY")
    monkeypatch.delenv("B_KEY", raising=False)
    (one,) = found(litellm(server))
    assert (one.answers, one.key) == (True, None)


def test_deployments_of_one_name_that_differ_in_price_leave_it_unknown(server):
    server.reply(
        lambda seen: http(
            {
                "data": [
                    deployment("same", **costs(1e-6, 1e-6)),
                    deployment("same", **costs(1e-6, 1e-6)),
                    deployment("differs", **costs(1e-6, 1e-6)),
                    deployment("differs", **costs(2e-6, 1e-6)),
                    deployment("nonsense", **costs(float("nan"), -1)),
                ]
            }
            if seen.target == "/model/info"
            else models("same", "differs", "nonsense")
        )
    )
    (one,) = found(litellm(server))
    assert one.prices == {"same": Prices(input=1, output=1)}


def test_where_nothing_is_found_nothing_is_proposed():
    with pytest.raises(ZetarouteError, match="no model was found: start a server such as Ollama"):
        config()
    with pytest.raises(UsageError, match="--preset"):
        config(services=hosted_services(), preset="best")


def test_windows_and_slots_are_taken_from_servers_that_tell(server):
    listed = {
        "llama": {"data": [{"id": "gemma.gguf", "meta": {"n_ctx_train": 32768}}]},
        "vllm": {"data": [{"id": "qwen", "max_model_len": 8192}]},
        "lmstudio": {"data": [{"id": "phi", "max_context_length": 131072, "loaded_context_length": 4096}]},
        "ollama": {"models": [{"name": "llama3:latest", "context_length": 4096}]},
    }
    props = {"total_slots": 4, "default_generation_settings": {"n_ctx": 2048}}
    wanted = {"llama": (2048, 4), "vllm": (8192, 2), "lmstudio": (4096, 2), "ollama": (4096, 2)}
    for kind, (window, concurrency) in wanted.items():
        server.reply(
            lambda seen, kind=kind: http(
                props if seen.target == "/props" and kind == "llama" else listed[kind]
            )
        )
        (one,) = found(place(server, further=("/props",)))
        _, settings = config(one)
        assert [(arm.context_window, arm.max_concurrency) for arm in settings.arms] == [(window, concurrency)]


def test_windows_that_are_no_numbers_are_left_out(server):
    server.reply(http({"data": [{"id": "a", "max_model_len": "many"}, {"id": "b", "max_model_len": True}]}))
    (one,) = found(place(server))
    assert (one.windows, one.slots) == ({}, None)
