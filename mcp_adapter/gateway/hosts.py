"""Which `Host` and `Origin` the gateway answers to (DNS rebinding, CVE-2025-66416)."""

from urllib.parse import urlsplit

from mcp_adapter.gateway.config import Gateway, is_loopback


def hosts(config: Gateway) -> frozenset[str]:
    """Give the `Host` values that are served."""
    public = urlsplit(config.public_url)
    found = {public.netloc, *config.allowed_hosts}
    if public.port is None:
        found.add(f"{public.netloc}:{443 if public.scheme == 'https' else 80}")
    if is_loopback(config.listen.bind):
        port = config.listen.bind.rpartition(":")[2]
        found |= {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    return frozenset(found)


def origins(config: Gateway) -> frozenset[str]:
    """Give the `Origin` values of web pages that may ask."""
    return frozenset({config.public_url, *config.allowed_origins})
