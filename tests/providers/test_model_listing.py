"""Lists of models in every shape, and where they are found."""

from __future__ import annotations

import asyncio

import pytest

from zetaroute.domain import Arm
from zetaroute.errors import ProviderError
from zetaroute.providers.model_listing import Listing, list_models

from .loopback import ModelServer, Reply, Seen, http


def listing(server: ModelServer, path: str = "/v1") -> Listing:
    arm = Arm(id="a/m", provider="openai", model="m", base_url=server.url + path)
    return asyncio.run(list_models(arm, timeout_s=5.0))


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "m"}, {"id": "n"}]},
        {"models": [{"name": "m"}, {"name": "n"}]},
        {"models": ["m", "n"]},
        {"data": {"models": [{"model": "m"}, {"model_name": "n"}]}},
        {"result": {"data": [{"id": "m"}, {"id": "n"}]}},
        {"data": [{"id": "m"}], "models": [{"name": "n"}]},
        [{"id": "m"}, {"key": "n"}],
        ["m", "n"],
        [{"id": "m"}, 7, None, {}, {"id": "n"}],
    ],
)
def test_every_shape_of_a_list(server: ModelServer, body: object) -> None:
    server.reply(http(body))
    assert listing(server).models == ("m", "n")


@pytest.mark.parametrize("body", [{}, {"data": None}, {"error": {"message": "no"}}, "m", 7, b"<html>"])
def test_what_is_no_list_is_told_with_the_address(server: ModelServer, body: object) -> None:
    server.reply(http(body))
    with pytest.raises(ProviderError, match="127.0.0.1") as caught:
        listing(server)
    assert "/v1/models sent no list of models" in str(caught.value)


@pytest.mark.parametrize("base", ["", "/", "/api"])
def test_an_address_without_its_version_is_found(server: ModelServer, base: str) -> None:
    def reply(seen: Seen) -> Reply:
        return http({"data": [{"id": "m"}]}) if seen.target.endswith("/v1/models") else http({}, status=404)

    server.reply(reply)
    found = listing(server, base)
    assert (found.models, found.base_url) == (("m",), f"{server.url}{base.rstrip('/')}/v1")


def test_an_address_with_its_version_is_not_guessed_at(server: ModelServer) -> None:
    server.reply(http({"detail": "Not Found"}, status=404))
    with pytest.raises(ProviderError, match="/v1/models"):
        listing(server)
    assert len(server.seen) == 1
