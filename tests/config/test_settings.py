"""Every mistake in a config is told in one sentence that names the place and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from zetaroute.config import PRESETS, default_config_text, load_settings, parse_settings
from zetaroute.errors import ConfigError

ROOT = Path(__file__).parents[2]
MODEL = '[[models]]\nid = "a/b"\nprovider = "practice"\nmodel = "small"\n'


def test_default_config_serves_three_practice_models():
    settings = parse_settings(default_config_text(), file=None)
    assert [arm.id for arm in settings.arms] == ["practice/small", "practice/medium", "practice/large"]
    assert settings.objective == PRESETS["balanced"]
    assert all(arm.prices is not None and arm.local for arm in settings.arms)


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
        (MODEL + "[gate]\nresponse_limit_s = 3\n", ["limit_margin"]),
        (MODEL + '[[guards]]\nmetric = "accuracy"\nmax = 0.5\n', ["needs min"]),
        (MODEL + '[[guards]]\nmetric = "accuracy"\nmin = 0.5\nmodel = "z"\n', ["'z'"]),
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
