"""The community price list, matched with what is configured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from zetaroute.config import read_prices
from zetaroute.domain import Arm, Prices, PriceTier
from zetaroute.errors import UsageError
from zetaroute.setup.import_prices import import_prices

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


TIERED = entry(
    1e-06,
    8e-06,
    output_cost_per_reasoning_token=1.2e-05,
    cache_creation_input_token_cost=1.25e-06,
    input_cost_per_token_above_200k_tokens=2e-06,
    input_cost_per_token_off_peak=5e-07,
    output_cost_per_token_batches=4e-06,
)


def test_prices_by_length_reasoning_and_cache_writes_are_counted_and_others_told(home, tmp_path):
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"long": TIERED}))
    arm = Arm(id="x/long", provider="openai", model="long", base_url="http://x")
    done = import_prices(home, [arm], path)
    assert done.unpriced == {"x/long": ("input_cost_per_token_off_peak",)}
    prices = read_prices(home.prices)["x/long"].prices
    longer = Prices(input=2.0, output=8.0, cache_write=1.25, reasoning=12.0)
    assert prices == replace(longer, input=1.0, above=(PriceTier(tokens=200_000, prices=longer),))
    assert prices.cost_usd(input_tokens=200_000, output_tokens=0) == pytest.approx(0.2)
    assert prices.cost_usd(input_tokens=200_001, output_tokens=0) == pytest.approx(0.400002)
    assert prices.cost_usd(input_tokens=0, output_tokens=100, reasoning_tokens=40) == pytest.approx(
        (60 * 8 + 40 * 12) / 1e6
    )
    assert prices.cost_usd(input_tokens=100, output_tokens=0, cache_write_tokens=80) == pytest.approx(
        (20 * 1 + 80 * 1.25) / 1e6
    )
    assert prices.flat(300_000) == Prices(input=2.0, output=8.0)


def test_a_list_of_tiers_is_read(home, tmp_path):
    tiers = [{"range": [0, 32000], **entry(1e-06, 4e-06)}, {"range": [32000, 128000], **entry(2e-06, 8e-06)}]
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"tiers": {"tiered_pricing": tiers}}))
    import_prices(home, [Arm(id="x/tiers", provider="openai", model="tiers", base_url="http://x")], path)
    tier = PriceTier(tokens=32_000, prices=Prices(input=2.0, output=8.0))
    assert read_prices(home.prices)["x/tiers"].prices == Prices(input=1.0, output=4.0, above=(tier,))
