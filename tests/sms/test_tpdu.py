"""Short messages as octets: known ones, every cut, and whatever else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sms.counting import cut, parts
from gateway.sms.gsm7 import pack, septets_of, text_of, unpack
from gateway.sms.rpdu import Data, Report, data_to_phone, read, report_on
from gateway.sms.tpdu import Piece, Tpdu, TpduError, deliver, parse

X, AT = "+8617000000001", datetime(2026, 11, 24, 9, 5, 7, tzinfo=timezone(timedelta(hours=8)))
gsm_texts = st.text(st.sampled_from("@£$Δ_ÆÉ !¤09AZÄ§az à\n\r€[]{}\\~^|\f"), max_size=400)
any_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def test_the_alphabet() -> None:
    # 3GPP TS 23.038 §6.2.1: places of some characters.
    places = {"@": 0x00, "$": 0x02, "\n": 0x0A, "_": 0x11, "É": 0x1F, " ": 0x20, "¤": 0x24, "0": 0x30, "¡": 0x40,
              "A": 0x41, "Ä": 0x5B, "§": 0x5F, "¿": 0x60, "a": 0x61, "ä": 0x7B, "à": 0x7F}  # fmt: skip
    assert {character: septets_of(character) for character in places} == {
        character: bytes((place,)) for character, place in places.items()
    }
    assert septets_of("€") == b"\x1b\x65"
    assert septets_of("ç") is septets_of("\x1b") is septets_of("你") is None


def test_known_octets() -> None:
    assert pack(b"hellohello").hex() == "e8329bfd4697d9ec37"
    assert unpack(bytes.fromhex("e8329bfd4697d9ec37"), 10) == b"hellohello"
    assert text_of(b"\x1b\x65a\x1b\x1b\x1ba\x1b") == "€a a"


@given(st.binary(max_size=200).map(lambda raw: bytes(one & 0x7F for one in raw)), st.integers(0, 6))
def test_packing_is_undone(septets: bytes, skip: int) -> None:
    packed = pack(septets, skip)
    assert unpack(packed, len(septets), skip) == septets
    assert len(packed) == -(-(7 * len(septets) + skip) // 8)


def test_a_deliver_as_others_write_it() -> None:
    # +8613800000021 writes "hellohello" at 2026-11-24 09:05:07 +08:00.
    known = "040d91683108000020f10000621142905070230ae8329bfd4697d9ec37"
    assert deliver("+8613800000021", "hellohello", True, AT, None).hex() == known
    assert parse(bytes.fromhex(known), submit=False) == Tpdu(False, "+8613800000021", "hellohello")
    assert deliver(X, "", True, AT.astimezone(timezone(-timedelta(hours=3, minutes=30))), None)[-2:] == b"\x49\x00"


@pytest.mark.parametrize(
    ("octets", "address", "text"),
    [
        ("01" "2a" "0d91683108000020f1" "00" "00" "0a" "e8329bfd4697d9ec37", "+8613800000021", "hellohello"),
        ("11" "2a" "0b81" "3180000020f1" "00" "00" "ff" "02" "e834", "13080000021", "hi"),
        ("19" "2a" "0291" "21" "00" "08" "62114290507023" "04" "4f60597d", "+12", "你好"),
        ("31" "2a" "0b81" "3180000020f1" "00" "18" "a7" "02" "4f60", "13080000021", "你"),
    ],
)  # fmt: skip
def test_submits_with_every_form_of_validity(octets: str, address: str, text: str) -> None:
    found = parse(bytes.fromhex(octets), submit=True)
    assert (found.submit, found.text) == (True, text)
    assert found.address == address


@pytest.mark.parametrize("coding", ["04", "f4", "20", "68"])
def test_what_is_not_text_is_refused(coding: str) -> None:
    with pytest.raises(TpduError):
        parse(bytes.fromhex("0002912100" + coding + "621142905070230141"), submit=False)


def test_a_name_for_an_originator() -> None:
    assert parse(bytes.fromhex("0006d0c3723800006211429050702302e834"), submit=False).address == ""


@given(gsm_texts | any_texts)
def test_what_is_cut_and_written_is_read_and_joined(text: str) -> None:
    gsm, pieces = cut(text)
    assert "".join(pieces) == text
    assert len(pieces) == parts(text)
    read_back = []
    for index, one in enumerate(pieces, 1):
        piece = Piece(200, len(pieces), index) if len(pieces) > 1 else None
        octets = deliver(X, one, gsm, AT, piece)
        assert len(octets) <= 1 + 9 + 2 + 7 + 1 + 140
        found = parse(octets, submit=False)
        assert (found.address, found.piece) == (X, piece)
        read_back.append(found.text)
    assert "".join(read_back) == text


def test_a_reference_of_sixteen_bits_and_other_elements() -> None:
    data = bytes.fromhex("0c0504000100020804123403024f60")
    octets = bytes.fromhex("40029121000862114290507023") + bytes((len(data),)) + data
    assert parse(octets, submit=False).piece == Piece(0x1234, 3, 2)
    impossible = octets.replace(bytes.fromhex("080412340302"), bytes.fromhex("080412340304"))
    assert parse(impossible, submit=False).piece is None


@given(st.binary(max_size=60), st.booleans())
def test_anything_is_read_or_refused(data: bytes, submit: bool) -> None:
    for flags in (b"", b"\x00", b"\x01", b"\x40", b"\x41", b"\x59"):
        try:
            assert isinstance(parse(flags + data, submit=submit), Tpdu)
        except TpduError:
            continue


@given(st.binary(max_size=80))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read(body), Data | Report)
    except TpduError:
        assert len(body) < 200


def test_relaying() -> None:
    tpdu = deliver(X, "hi", True, datetime(2026, 1, 1, tzinfo=UTC), None)
    body = data_to_phone(7, X, tpdu)
    data = read(body)
    assert data == Data(True, 7, Tpdu(False, X, "hi"))
    assert body[:3] == bytes((1, 7, 8))
    assert isinstance(data, Data)
    assert read(report_on(data)) == Report(7)
    assert report_on(data)[0] == 2
    unreadable = read(b"\x00\x09\x00\x02\x91\x21\x02\x01\x02")
    assert unreadable == Data(False, 9, None)
    assert isinstance(unreadable, Data)
    assert report_on(unreadable) == b"\x05\x09\x01\x5f"
    assert read(b"\x04\x05\x01\x1b") == Report(5, 27)
    assert read(b"\x06\x05") == Report(5)
    for short in (b"", b"\x00", b"\x04\x05", b"\x04\x05\x02\x1b"):
        with pytest.raises(TpduError):
            read(short)


@given(st.binary(min_size=1, max_size=175), st.integers(0, 10), st.integers(0, 255))
def test_a_changed_octet_is_read_or_refused(seed: bytes, place: int, value: int) -> None:
    octets = bytearray(deliver(X, "你好" * 20, False, AT, Piece(1, 2, 1)))
    octets[(seed[0] + place) % len(octets)] = value
    try:
        parse(bytes(octets), submit=False)
    except TpduError:
        assert len(octets) > 100
