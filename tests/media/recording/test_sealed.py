from __future__ import annotations

import random
from itertools import pairwise

import pytest

from media.recording.sealed import CHUNK, HEAD_BYTES, Opener, Sealer, SealError, is_sealed, kept_key, open_cut

KEY, OTHER = bytes(range(32)), bytes(32)
SALT = b"salt of 16 bytes"


def sealed(data: bytes, key: bytes = KEY, salt: bytes = SALT) -> bytes:
    return b"".join(bytes(piece) for piece in Sealer(key, b"audio", salt).all(iter([data])))


def plain(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_what_was_sealed_opens_however_it_arrives(size: int) -> None:
    data = plain(size)
    raw = sealed(data)
    assert not data or data[:64] not in raw
    for piece in (1 << 20, 1000, 3 if size < 2 else 77_777):
        opener = Opener(KEY, b"audio")
        out = b"".join(opener.feed(raw[start : start + piece]) for start in range(0, len(raw), piece))
        assert (out, opener.whole) == (data, True)


def test_a_cut_file_opens_up_to_the_cut_and_is_known_to_be_cut() -> None:
    data = plain(3 * CHUNK + 100)
    raw = sealed(data)
    frame = CHUNK + 16 + 4
    for cut in random.Random(1).sample(range(len(raw)), 60):
        opener = Opener(KEY, b"audio")
        opened = opener.feed(raw[:cut])
        assert opened == data[: len(opened)]
        frames = max(0, (cut - HEAD_BYTES) // frame)
        assert len(opened) >= min(frames, 3) * CHUNK
        assert not opener.whole


def test_whatever_was_changed_does_not_open() -> None:
    data = plain(2 * CHUNK)
    raw = sealed(data)
    for place in random.Random(2).sample(range(8, len(raw)), 80):
        spoilt = bytearray(raw)
        spoilt[place] ^= 1
        opener = Opener(KEY, b"audio")
        try:
            opened = opener.feed(bytes(spoilt))
        except SealError:
            continue
        # A length that is too long now waits for what never comes.
        assert not opener.whole
        assert opened == data[: len(opened)]


def test_another_key_purpose_or_order_does_not_open() -> None:
    raw = sealed(plain(2 * CHUNK))
    for key, purpose in ((OTHER, b"audio"), (KEY, b"spool")):
        with pytest.raises(SealError):
            Opener(key, purpose).feed(raw)
    frame = CHUNK + 20
    first, second = raw[HEAD_BYTES : HEAD_BYTES + frame], raw[HEAD_BYTES + frame : HEAD_BYTES + 2 * frame]
    for order in (second + first, first + first, second):
        with pytest.raises(SealError):
            Opener(KEY, b"audio").feed(raw[:HEAD_BYTES] + order)
    with pytest.raises(SealError, match="damaged"):
        Opener(KEY, b"audio").feed(raw + first)
    with pytest.raises(SealError, match="no sealed file"):
        Opener(KEY, b"audio").feed(b"RIFF" + bytes(100))


def test_one_key_never_makes_the_same_twice() -> None:
    made = [sealed(b"the same", salt=bytes([number]) * 16) for number in range(4)]
    assert all(one[HEAD_BYTES:] != other[HEAD_BYTES:] for one, other in pairwise(made))


def test_damage_in_the_middle_costs_what_follows_only() -> None:
    data = plain(3 * CHUNK)
    raw = bytearray(sealed(data))
    raw[HEAD_BYTES + 2 * (CHUNK + 20) + 100] ^= 1
    assert open_cut(bytes(raw), KEY, b"audio") == data[: 2 * CHUNK]
    with pytest.raises(SealError):
        open_cut(bytes(raw), OTHER, b"audio")


def test_a_file_that_keeps_its_key_opens_likewise_and_gives_it_whole_or_not_at_all() -> None:
    kept, data = b"a1b2c3d4.c2VhbGVk", plain(CHUNK + 5)
    sealer = Sealer(KEY, b"audio", SALT, kept)
    raw = b"".join(bytes(piece) for piece in sealer.all(iter([data])))
    for piece in (1 << 20, 1):
        opener = Opener(KEY, b"audio")
        out = b"".join(opener.feed(raw[start : start + piece]) for start in range(0, len(raw), piece))
        assert (out, opener.whole) == (data, True)
    end = raw.index(kept) + len(kept)
    assert [kept_key(raw[:cut]) for cut in range(len(sealer.head))] == [
        kept if cut >= end else b"" for cut in range(len(sealer.head))
    ]
    assert [(is_sealed(one), kept_key(one)) for one in (raw, sealed(data), b"MLSPOOL1", b"")] == [
        (True, kept), (True, b""), (False, b""), (False, b"")
    ]  # fmt: skip
    assert all(open_cut(raw[:cut], KEY, b"audio") == b"" for cut in range(len(sealer.head) + 1))
