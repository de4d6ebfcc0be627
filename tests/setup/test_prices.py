"""The community price list, matched with what is configured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from zetaroute.config import read_prices
from zetaroute.domain import Arm, Prices
from zetaroute.errors import UsageError
from zetaroute.setup.prices import import_prices

HOSTED = Arm(id="openai/gpt-4o-mini", provider="openai", model="gpt-4o-mini", base_url="http://x")


def entry(per_input, per_output, **more):
    return {"input_cost_per_token": per_input, "output_cost_per_token": per_output, **more}


LIST = {
    "sample_spec": {"input_cost_per_token": "in USD", "output_cost_per_token": "in USD"},
    "gpt-4o-mini": entry(1.5e-07, 6e-07, cache_read_input_token_cost=7.5e-08, max_input_tokens=128000),
    "azure/gpt-4o-mini": entry(1.65e-07, 6.6e-07),
    "openrouter/meta/llama-3": entry(1e-07, 2e-07, max_input_tokens="8k"),
    "same-1/twin": entry(1e-06, 1e-06),
    "same-2/twin": entry(1e-06, 1e-06),
    "one/rival": entry(1e-06, 1e-06),
    "two/rival": entry(2e-06, 1e-06),
    "ollama/llama3.2:3b": entry(0, 0),
    "half": {"input_cost_per_token": 1e-06},
    "odd": entry(-1, True),
    "text-embedding": 7,
}


def imported(home, tmp_path, *arms):
    path = tmp_path / "list.json"
    path.write_text(json.dumps(LIST))
    return import_prices(home, arms, path)


@pytest.mark.parametrize(
    ("model_id", "model", "tags", "listed", "prices"),
    [
        (
            "openai/gpt-4o-mini",
            "gpt-4o-mini",
            (),
            "gpt-4o-mini",
            Prices(input=0.15, output=0.6, cached_input=0.075),
        ),
        ("azure/gpt-4o-mini", "gpt-4o-mini", (), "azure/gpt-4o-mini", Prices(input=0.165, output=0.66)),
        ("x/l", "meta/llama-3", (), "openrouter/meta/llama-3", Prices(input=0.1, output=0.2)),
        ("x/t", "twin", (), "same-1/twin", Prices(input=1, output=1)),
        ("ollama/llama3.2:3b", "llama3.2:3b", ("local",), "ollama/llama3.2:3b", Prices(input=0, output=0)),
    ],
)
def test_a_model_is_found_with_and_without_its_prefix(home, tmp_path, model_id, model, tags, listed, prices):
    arm = replace(HOSTED, id=model_id, model=model, tags=tags)
    found = imported(home, tmp_path, arm).found[model_id]
    assert (found.listed, found.prices, found.model) == (listed, prices, model)
    assert read_prices(home.prices) == {model_id: found}


def test_the_context_window_comes_along(home, tmp_path):
    assert imported(home, tmp_path, HOSTED).found[HOSTED.id].context_window == 128000
    arm = replace(HOSTED, id="x/l", model="meta/llama-3")
    assert imported(home, tmp_path, arm).found["x/l"].context_window is None


def test_what_is_doubtful_is_told_and_left_out(home, tmp_path):
    arms = [replace(HOSTED, id=f"x/{name}", model=name) for name in ("rival", "nobody", "half", "odd")]
    local = replace(HOSTED, id="home/llama-3", model="meta/llama-3", tags=("local",))
    own = replace(HOSTED, prices=Prices(input=1, output=1), price_source="config")
    practice = Arm(id="practice/small", provider="practice", model="small")
    done = imported(home, tmp_path, *arms, local, own, practice)
    assert done.ambiguous == {"x/rival": ("one/rival", "two/rival")}
    assert done.unlisted == ["x/nobody", "x/half", "x/odd", "home/llama-3"]
    assert done.own == [HOSTED.id]
    assert done.found == {}
    assert not home.prices.exists()


def test_an_import_keeps_what_it_does_not_replace(home, tmp_path):
    imported(home, tmp_path, HOSTED)
    imported(home, tmp_path, replace(HOSTED, id="x/t", model="twin"))
    assert set(read_prices(home.prices)) == {HOSTED.id, "x/t"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "no price list"),
        ("{}", "holds no model"),
        ("\xff", "not JSON"),
        (None, "cannot read"),
    ],
)
def test_a_list_of_no_use_is_named(home, tmp_path, text, words):
    path = tmp_path / "list.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="list.json") as caught:
        import_prices(home, [HOSTED], path)
    assert words in str(caught.value)
