"""What a text comes to in MESSAGEs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.sms.bodies import Body, bodies
from gateway.sms.rpdu import CONTENT_TYPE, Data, read
from gateway.sms.tpdu import Piece

X, NOW = "+8617000000001", datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("text", "parts"), [("hi", 1), ("a" * 161, 2), ("你" * 135, 3)])
def test_as_text_it_is_one_that_counts_as_many(text: str, parts: int) -> None:
    assert bodies(text, X, as_3gpp=False, reference=1, at=NOW) == [
        Body("text/plain;charset=UTF-8", text.encode(), parts)
    ]


@pytest.mark.parametrize(("text", "parts"), [("", 1), ("hi", 1), ("a" * 161, 2), ("你" * 135, 3), ("a" * 50_000, 255)])
def test_as_3gpp_there_is_one_for_each_part(text: str, parts: int) -> None:
    made = bodies(text, X, as_3gpp=True, reference=300, at=NOW)
    assert [(one.content_type, one.parts) for one in made] == [(CONTENT_TYPE, 1)] * parts
    texts = []
    for index, one in enumerate(made, 1):
        data = read(one.octets)
        assert isinstance(data, Data)
        assert data.tpdu is not None
        assert data.to_phone
        assert data.reference == (300 + index) % 256
        assert data.tpdu.address == X
        assert data.tpdu.piece == (Piece(44, parts, index) if parts > 1 else None)
        texts.append(data.tpdu.text)
    assert "".join(texts) == text[: 255 * 153]
