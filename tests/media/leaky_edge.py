"""The edge's process with a leak: a leg that is over stays, with what it had. For test_edge.py."""

from __future__ import annotations

from media import edge
from media.webrtc import Edge, Leg

KEPT: list[object] = []


def main() -> None:
    close = Edge.close

    async def leaking(self: Edge, leg: Leg) -> None:
        await close(self, leg)
        KEPT.append((leg, bytearray(200_000)))

    Edge.close = leaking  # type: ignore[method-assign]
    edge.main()


if __name__ == "__main__":
    main()
