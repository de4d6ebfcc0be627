"""Every mistake in a config is told in one sentence that names the place and the fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zetaroute.config import (
    PRESETS,
    Audits,
    Chains,
    Challengers,
    ImportedPrice,
    default_config_text,
    load_settings,
    parse_settings,
    prices_text,
    read_prices,
)
from zetaroute.domain import Prices
from zetaroute.errors import ConfigError

ROOT = Path(__file__).parents[2]
MODEL = '[[models]]\nid = "a/b"\nprovider = "practice"\nmodel = "small"\n'


def test_default_config_serves_three_practice_models():
    settings = parse_settings(default_config_text(), file=None)
    assert [arm.id for arm in settings.arms] == ["practice/small", "practice/medium", "practice/large"]
    assert settings.objective == PRESETS["balanced"]
    assert all(arm.prices is not None and arm.local for arm in settings.arms)


def test_chains_serve_unless_the_config_says_otherwise():
    assert parse_settings(default_config_text(), file=None).chains == Chains(enabled=True, not_for=())
    own = parse_settings(MODEL + '[chain]\nenabled = false\nnot_for = ["poetry"]\n', file=None)
    assert own.chains == Chains(enabled=False, not_for=("poetry",))


def test_audits_come_by_their_schedule_unless_the_config_names_a_share():
    assert parse_settings(default_config_text(), file=None).audits == Audits(share=None, budget_usd=None)
    own = parse_settings(MODEL + "[audit]\nshare = 0\nbudget_usd = 2\n", file=None)
    assert own.audits == Audits(share=0.0, budget_usd=2.0)


def test_challengers_have_no_limit_and_come_by_hand_unless_the_config_says_so():
    assert parse_settings(default_config_text(), file=None).challengers == Challengers()
    own = parse_settings(MODEL + "[challenger]\nauto = true\nmax_regret_usd = 2\n", file=None)
    assert own.challengers == Challengers(auto=True, max_regret_usd=2.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema_version = 2\n" + MODEL, ["schema_version", "upgrade"]),
        ("[objective\n", ["not valid TOML"]),
        ("", ["names no model", "[[models]]"]),
        (MODEL + MODEL, ["number 2", "repeats the id 'a/b'"]),
        (MODEL + 'colour = "red"\n', ["number 1", "unknown key 'colour'"]),
        (MODEL + "timeout_s = 'soon'\n", ["timeout_s", "must be a number"]),
        (MODEL + "timeout_s = -1\n", ["timeout_s", "at least"]),
        (MODEL + "timeout_s = nan\n", ["timeout_s", "must be a number"]),
        (MODEL + "timeout_s = true\n", ["timeout_s", "must be a number"]),
        (MODEL + "max_concurrency = 0\n", ["max_concurrency", "at least 1"]),
        (MODEL + 'tags = "local"\n', ["tags", "list of texts"]),
        (MODEL + "price = { input = 1 }\n", ["price", "input and output"]),
        (MODEL + "price = { input = 1, output = 1, cash = 1 }\n", ["unknown key 'cash'"]),
        (MODEL + "prior_accuracy = 2\n", ["prior_accuracy", "between 0 and 1"]),
        ('[[models]]\nprovider = "practice"\n', ["number 1", "id"]),
        ('[[models]]\nid = "x"\nprovider = "opnai"\n', ["provider", "did you mean 'openai'"]),
        ('[[models]]\nid = "x/y"\nprovider = "openai"\n', ["base_url"]),
        ('[[models]]\nid = "x"\nprovider = "openai"\nbase_url = "localhost"\n', ["http://"]),
        ('[[models]]\nid = "x"\nprovider = "recorded"\n', ["file"]),
        ('[[models]]\nid = "x"\nprovider = "practice"\nmodel = "huge"\n', ["small, medium, large"]),
        (MODEL + '[objective]\npreset = "best"\n', ["preset", "quality, "]),
        (MODEL + "[explore]\nrate = 1.5\n", ["rate", "between 0 and 1"]),
        (MODEL + "[ratings]\nask_share = 2\n", ["ask_share", "between 0 and 1"]),
        (MODEL + "[chain]\nenabled = 1\n", ["enabled", "true or false"]),
        (MODEL + "[audit]\nshare = 1.2\n", ["share", "between 0 and 1"]),
        (MODEL + "[audit]\nbudget_usd = -1\n", ["budget_usd", "at least 0"]),
        (MODEL + '[challenger]\nauto = "yes"\n', ["auto", "true or false", "'yes'"]),
        (MODEL + "[challenger]\nmax_regret_usd = 0\n", ["[challenger]", "above 0", "policies pin"]),
        (
            MODEL + "[challenger]\nmax_regret_usd = 1\nmax_regret_share = 0.1\n",
            ["max_regret_usd or max_regret_share", "not both"],
        ),
        (MODEL + "[audit]\nprobability = 1\n", ["unknown key 'probability'", "share, budget_usd"]),
        (MODEL + "[gate]\nresponse_limit_s = 3\n", ["limit_margin"]),
        (MODEL + '[[guards]]\nmetric = "accuracy"\nmax = 0.5\n', ["needs min"]),
        (MODEL + '[[guards]]\nmetric = "accuracy"\nmin = 60\n', ["min is 60: it must be between 0 and 1"]),
        (MODEL + '[[guards]]\nmetric = "accuracy"\nmin = 0.5\nmodel = "z"\n', ["'z'"]),
        (MODEL + "headers = 3\n", ["headers", "must be a table"]),
        (MODEL + 'headers = { "a b" = "c" }\n', ["'a b'", "HTTP header"]),
        (MODEL + 'headers = { a = "ü" }\n', ["header a", "plain characters"]),
        (MODEL + "headers = { a = 1 }\n", ["header a", "plain characters"]),
        (MODEL + 'headers = { Authorization = "Bearer sk-1" }\n', ["environment variable", "$MY_KEY"]),
        (MODEL + 'api_key_header = "api-key"\n', ["api_key_header", "api_key_env"]),
        (MODEL + 'proxy = "localhost:8080"\n', ["proxy", "http://"]),
        (MODEL + 'accepts = ["sound"]\n', ["accepts", "image, file"]),
        (MODEL + "context_window = 0\n", ["context_window", "at least 1"]),
        (MODEL + "server_concurrency = 1.5\n", ["server_concurrency", "whole number"]),
        (MODEL + "options = { stream = true }\n", ["options", "stream is not yours to set"]),
        (MODEL + "options = { a = 2026-01-01 }\n", ["options", "no dates"]),
        (MODEL + "options = { a = nan }\n", ["options", "no nan"]),
        (MODEL + "first_token_timeout_s = 0\n", ["first_token_timeout_s", "at least"]),
        (MODEL + "[budget]\ndaily = 1\n", ["[budget]", "did you mean 'daily_usd'"]),
        (MODEL + "[budget]\nmonthly_usd = -1\n", ["monthly_usd", "at least 0"]),
        (MODEL + "[explorer]\nrate = 0.1\n", ["unknown key 'explorer'", "did you mean 'explore'"]),
    ],
)
def test_mistake_is_told_with_its_place(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, file=Path("config.toml"))
    message = str(caught.value)
    assert message.startswith("config.toml:")
    assert "\n" not in message.rstrip()
    for word in words:
        assert word in message


def test_absent_config_names_the_file(tmp_path):
    with pytest.raises(ConfigError, match="no such config file"):
        load_settings(tmp_path / "none.toml", tmp_path / "config.toml")


def test_binary_config_is_refused(tmp_path):
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_settings(None, tmp_path / "config.toml")


def test_preset_is_a_base_that_single_values_override():
    settings = parse_settings(MODEL + '[objective]\npreset = "fast"\nanswer_value_usd = 0\n', file=None)
    assert settings.objective.second_value_usd == PRESETS["fast"].second_value_usd
    assert settings.objective.answer_value_usd == 0


def test_paths_count_from_the_config(tmp_path):
    text = '[[models]]\nid = "r/x"\nprovider = "recorded"\nfile = "sub/rows.parquet"\n'
    arm = parse_settings(text, file=tmp_path / "config.toml").arms[0]
    assert arm.file == str(tmp_path / "sub" / "rows.parquet")
    assert arm.model == "x"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_config_is_valid(path):
    assert load_settings(path, path).arms


def test_practice_config_is_the_built_in_one():
    assert (ROOT / "configs" / "practice.toml").read_text(encoding="utf-8") == default_config_text()


def test_what_a_model_block_says_of_its_requests(tmp_path):
    text = """
    [budget]
    daily_usd = 1
    [[models]]
    id = "azure/d"
    provider = "openai"
    base_url = "https://x.example/openai/deployments/d?api-version=1"
    api_key_env = "AZURE_KEY"
    api_key_header = "api-key"
    headers = { "X-Team" = "$TEAM" }
    proxy = "$PROXY"
    ca_file = "ca.pem"
    connect_timeout_s = 3
    first_token_timeout_s = 4
    server_concurrency = 2
    context_window = 8192
    accepts = ["image"]
    options = { temperature = 0.2, max_tokens = 9, stop = ["x"], response_format = { type = "json_object" } }
    max_tokens_key = "max_completion_tokens"
    """
    settings = parse_settings(text, file=tmp_path / "config.toml")
    (arm,) = settings.arms
    assert (settings.budget.daily_usd, settings.budget.monthly_usd) == (1.0, None)
    assert arm.headers == {"X-Team": "$TEAM"}
    assert arm.ca_file == str(tmp_path / "ca.pem")
    assert (arm.connect_timeout_s, arm.first_token_timeout_s, arm.timeout_s) == (3.0, 4.0, 60.0)
    assert arm.options["response_format"] == {"type": "json_object"}
    assert (arm.server_concurrency, arm.context_window, arm.accepts) == (2, 8192, ("image",))
    assert (arm.prices, arm.price_source, arm.paid) == (None, None, True)


@pytest.mark.parametrize(
    ("lines", "paid"),
    [
        ("", True),
        ('tags = ["local"]', False),
        ("price = { input = 0, output = 0 }", False),
        ('tags = ["local"]\nprice = { input = 0, output = 1 }', True),
    ],
)
def test_a_call_may_cost_money_unless_it_is_known_to_be_free(lines, paid):
    assert parse_settings(MODEL + lines, file=None).arms[0].paid is paid


PRICE = ImportedPrice(
    model="small",
    listed="x/small",
    prices=Prices(input=0.15, output=0.6, cached_input=0.075),
    context_window=9,
)


def test_imported_prices_survive_the_file(tmp_path):
    imported = {
        "a/b": PRICE,
        'odd "id"\\\x7f': replace(PRICE, prices=Prices(input=1e-9, output=0), context_window=None),
    }
    (tmp_path / "prices.toml").write_text(prices_text(imported), encoding="utf-8")
    assert read_prices(tmp_path / "prices.toml") == imported
    assert read_prices(tmp_path / "none.toml") == {}


@pytest.mark.parametrize(
    ("own", "model", "prices", "source", "window"),
    [
        ("", "small", PRICE.prices, "prices.toml", 9),
        ("price = { input = 1, output = 2 }", "small", Prices(input=1, output=2), "config", 9),
        ("context_window = 5", "small", PRICE.prices, "prices.toml", 5),
        ("", "another", None, None, None),
    ],
)
def test_imported_prices_serve_where_the_config_has_none(tmp_path, own, model, prices, source, window):
    (tmp_path / "config.toml").write_text(MODEL + own)
    (tmp_path / "prices.toml").write_text(prices_text({"a/b": replace(PRICE, model=model)}))
    (arm,) = load_settings(None, tmp_path / "config.toml").arms
    assert (arm.prices, arm.price_source, arm.context_window) == (prices, source, window)


@pytest.mark.parametrize("text", ["[broken", '["a"]\nmodel = "m"\nlisted = "m"\ninput = -1\noutput = 1\n'])
def test_a_broken_price_file_is_named(tmp_path, text):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match="prices.toml"):
        load_settings(None, tmp_path / "config.toml")


def test_most_tokens_of_a_model_are_an_option_of_its_own():
    block = (
        '[[models]]\nid = "a/b"\nprovider = "openai"\nbase_url = "http://localhost/v1"\nmax_tokens = 300\n'
    )
    (arm,) = parse_settings(f"schema_version = 1\n{block}", file=None).arms
    assert arm.options == {"max_tokens": 300}
    with pytest.raises(ConfigError, match="give one of the two"):
        parse_settings(f"schema_version = 1\n{block}options = {{ max_tokens = 20 }}\n", file=None)


EFFORTS = """
[[models]]
id = "o/m"
provider = "openai"
base_url = "http://127.0.0.1:1"
price = { input = 1, output = 2 }
prior_accuracy = 0.5
options = { temperature = 0 }
aliases = ["plain"]
[[models]]
id = "o/m:high"
of = "o/m"
effort = "high"
max_tokens = 9000
aliases = ["thinker"]
[[guards]]
metric = "accuracy"
min = 0.5
model = "thinker"
[graders.mine]
judge = "plain"
"""


def test_a_model_at_another_effort_takes_over_what_it_leaves_out():
    settings = parse_settings(EFFORTS, file=None)
    base, high = settings.arms
    assert (high.of, high.effort, high.model, high.base_url) == ("o/m", "high", "m", base.base_url)
    assert (high.prices, high.options) == (base.prices, {"temperature": 0, "max_tokens": 9000})
    assert (high.prior_accuracy, high.aliases, base.effort) == (0.5, ("thinker",), None)


def test_an_alias_stands_for_its_model_wherever_one_is_named():
    settings = parse_settings(EFFORTS, file=None)
    assert settings.arm("thinker").id == settings.arm("o/m:high").id == "o/m:high"
    assert settings.guards[0].model == "o/m:high"
    assert settings.graders[0].judge == "o/m"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('of = "o/m"', 'of = "o/n"', "number 2 is of the model 'o/n', but no other"),
        ('["thinker"]', '["o/m"]', "number 2 repeats the alias 'o/m'"),
        ('"high"', '"huge"', "key effort is 'huge': choose one of none, minimal, low"),
        ("max_tokens = 9000", "options = { reasoning_effort = 1 }", "effort stands there and, as"),
    ],
)
def test_mistakes_of_efforts_and_aliases_are_told_with_their_place(old, new, words):
    with pytest.raises(ConfigError, match=words):
        parse_settings(EFFORTS.replace(old, new), file=None)
