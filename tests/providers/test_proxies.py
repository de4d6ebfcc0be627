"""NO_PROXY as curl reads it: what it spares is never sent to a proxy."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from zetaroute.domain import Arm
from zetaroute.providers.connections import unopenable
from zetaroute.providers.proxies import is_spared, proxy_for

from .test_http import TLS


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "spared"),
    [
        ("models.lan", 80, "models.lan", True),
        ("MODELS.lan", 80, "models.LAN", True),
        ("a.models.lan", 80, "models.lan", True),
        ("a.models.lan", 80, ".models.lan", True),
        ("models.lan", 80, ".models.lan", True),
        ("a.models.lan", 80, "*.models.lan", True),
        ("mymodels.lan", 80, "models.lan", False),
        ("models.lan.evil", 80, "models.lan", False),
        ("models.lan.", 80, "models.lan", True),
        ("models.lan", 80, "models.lan.", True),
        ("models.lan", 80, "other, models.lan", True),
        ("models.lan", 80, "other models.lan", True),
        ("models.lan", 8080, "models.lan:8080", True),
        ("models.lan", 80, "models.lan:8080", False),
        ("anything", 80, "*", True),
        ("anything", 80, "", False),
        ("anything", 80, ",", False),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8", False),
        ("10.1.2.3", 80, "10.1.2.9/24", True),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("10.1.2.3", 11434, "10.1.2.3:11434", True),
        ("10.1.2.3", 80, "2.3", False),
        ("fd00::7", 80, "fd00::/8", True),
        ("fd00::7", 80, "[fd00::7]", True),
        ("fd00::7", 443, "[fd00::7]:80", False),
        ("fd00::7", 80, "10.0.0.0/8", False),
        ("models.lan", 80, "10.0.0.0/8", False),
        ("10.1.2.3", 80, "10.0.0.0/99", False),
    ],
)
def test_what_no_proxy_spares(host: str, port: int, no_proxy: str, spared: bool) -> None:
    assert is_spared(host, port, no_proxy) is spared


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_network_in_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    url = urlsplit("http://10.9.8.7:11434/v1")
    assert proxy_for(url, own=None) == "http://proxy.invalid:3128"
    monkeypatch.setenv(name, "10.0.0.0/8")
    assert proxy_for(url, own=None) is None
    assert proxy_for(url, own="http://own.invalid:1") == "http://own.invalid:1"


def arm(name: str, base_url: str, **fields: str) -> Arm:
    return Arm(id=name, provider="openai", model="m", base_url=base_url, **fields)  # type: ignore[arg-type]


def test_models_without_a_way_to_them_are_known_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arms = [arm("far", "http://models.invalid/v1"), arm("here", "http://127.0.0.1:9/v1")]
    assert unopenable(arms) == {}
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "socksio", None)
    (reason,) = unopenable(arms).values()
    assert set(unopenable(arms)) == {"far"}
    assert "SOCKS" in reason
    assert "socksio" in reason
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:9")
    assert "no address of http" in unopenable(arms)["far"]
    monkeypatch.delenv("ALL_PROXY")
    monkeypatch.setenv("SSL_CERT_FILE", "/not/there.pem")
    assert unopenable(arms) == {}
    secure = arm("secure", "https://models.invalid/v1")
    assert "SSL_CERT_FILE names /not/there.pem" in unopenable([secure])["secure"]
    monkeypatch.delenv("SSL_CERT_FILE")
    own = arm("own", "https://models.invalid/v1", ca_file="/not/there.pem")
    assert "ca_file names /not/there.pem" in unopenable([own])["own"]
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", encoding="utf-8")
    assert "garbage.pem" in unopenable([replace(own, ca_file=str(garbage))])["own"]
    assert unopenable([replace(own, ca_file=str(TLS / "certificate.pem"))]) == {}
