"""Which proxy a server is asked through, as the environment says it and curl understands it."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult

from zetaroute.config.models import is_loopback

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: SplitResult, *, own: str | None) -> str | None:
    """Return the proxy of a call to `url`: its `own`, else the environment's, which NO_PROXY and loopback spare."""
    host = (url.hostname or "").rstrip(".")
    if own is not None:
        return own
    if is_loopback(url.geturl()):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy is None or is_spared(host, url.port or _PORTS.get(url.scheme), proxies.get("no", "")):
        return None
    # What the system itself excludes, where it keeps such a list.
    return None if proxy_bypass(host) else proxy


def is_spared(host: str, port: int | None, no_proxy: str) -> bool:
    """Return whether NO_PROXY names a host, a domain above it or a network that it is in, with its port or any."""
    host = host.lower().rstrip(".")
    for entry in re.split(r"[,\s]+", no_proxy.lower()):
        if entry == "*":
            return True
        name, wanted = _split_port(entry)
        if name and wanted in {None, port} and _matches(host, name):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """Return the name of an entry and its port; an address of IPv6 has its own colons."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?", entry)
    named = bracketed or re.fullmatch(r"([^:]*):(\d{1,5})", entry)
    if named is None:
        return entry, None
    return named[1], int(named[2]) if named[2] else None


def _matches(host: str, name: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False
