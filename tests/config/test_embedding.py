"""The [embedding] table: defaults, and mistakes told with their place."""

from __future__ import annotations

import tomllib

import pytest

from zetaroute.config.models import Embedding, read_embedding
from zetaroute.config.toml_table import TomlTable
from zetaroute.domain import Arm, Prices
from zetaroute.errors import ConfigError

LOCAL = 'base_url = "http://127.0.0.1:11434/v1/"\nmodel = "nomic-embed-text"\n'


def read(text: str) -> Embedding | None:
    return read_embedding(TomlTable(tomllib.loads(text), file=None, name="[embedding]:"))


def test_two_keys_are_enough():
    assert read_embedding(None) is None
    assert read(LOCAL) == Embedding(
        arm=Arm(
            id="embedding/nomic-embed-text",
            provider="openai",
            model="nomic-embed-text",
            base_url="http://127.0.0.1:11434/v1",
            tags=("local",),
            timeout_s=5.0,
            max_concurrency=4,
        ),
        dimensions=None,
        batch_size=64,
        max_characters=8000,
    )


def test_every_key_counts():
    found = read(
        'base_url = "https://api.example.com/v1"\nmodel = "m"\napi_key_env = "KEY"\napi_key_header = "api-key"\n'
        "dimensions = 256\nbatch_size = 8\nmax_concurrency = 2\nmax_characters = 1000\n"
        "timeout_s = 1.5\nprice = 0.02\n"
    )
    assert found is not None
    assert (found.dimensions, found.batch_size, found.max_characters) == (256, 8, 1000)
    assert (found.arm.api_key_env, found.arm.api_key_header) == ("KEY", "api-key")
    assert (found.arm.timeout_s, found.arm.max_concurrency) == (1.5, 2)
    assert found.arm.prices == Prices(input=0.02, output=0.0)
    assert not found.arm.local
    assert found.space == "m/256/1000"


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://localhost:1234/v1", True),
        ("http://models.localhost:1234/v1", True),
        ("http://localhost.:1234/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://[::1]/v1", True),
        ("http://192.168.0.9/v1", False),
        ("http://[bad/v1", False),
    ],
)
def test_loopback_is_local(base_url, local):
    found = read(f'base_url = "{base_url}"\nmodel = "m"\n')
    assert found is not None
    assert found.arm.local is local


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model = "m"\n', "base_url"),
        ('base_url = "http://h/v1"\n', "model"),
        ('base_url = "h:80"\nmodel = "m"\n', "http://"),
        (LOCAL + "dimensions = 0\n", "at least 1"),
        (LOCAL + "batch_size = 'many'\n", "batch_size"),
        (LOCAL + "max_characters = 5\n", "at least 100"),
        (LOCAL + "timeout_s = 0\n", "timeout_s"),
        (LOCAL + "price = -1\n", "price"),
        (LOCAL + "dimension = 3\n", "did you mean 'dimensions'"),
        (LOCAL + 'api_key_header = "api-key"\n', "api_key_env"),
    ],
)
def test_mistakes_name_the_place(text, words):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "[embedding]:" in str(caught.value)
    assert words in str(caught.value)
