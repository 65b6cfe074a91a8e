"""``GET /metrics``: figures of this node for those whose address is allowed (``[metrics] allow``; this machine).

A request that a proxy has passed on comes from the proxy's address, not from who asked: it is refused, so that a front
end that passes on everything doesn't publish the figures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.metrics.page import CONTENT_TYPE, page
from gateway.metrics.tally import Row

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def metrics_page(
    allow: Sequence[IPv4Network | IPv6Network], collect: Callable[[], Awaitable[list[Row]]]
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. ``collect`` gives the rows of all processes."""

    async def metrics(request: Request) -> Response:
        """Figures in Prometheus' text format."""
        if not _admitted(request, allow):
            return PlainTextResponse("not for this address: [metrics] allow\n", status_code=403)
        return Response(page(await collect()), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    return metrics


def _admitted(request: Request, allow: Sequence[IPv4Network | IPv6Network]) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    address = ip_address(request.client.host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in allow)
