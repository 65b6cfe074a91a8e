"""Every spelling of section 15, and hints that never repeat what was sent."""

from __future__ import annotations

import pytest

from gateway.api.errors import ApiError
from gateway.api.fields import Fields, parse_object


@pytest.mark.parametrize("value", [True, "true", "TRUE", "1", 1, 1.0])
def test_true(value: object) -> None:
    assert Fields({"f": value}).flag("f") is True


@pytest.mark.parametrize("value", [False, "false", "0", 0, 0.0])
def test_false(value: object) -> None:
    assert Fields({"f": value}).flag("f") is False


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_empty_is_absent(value: object) -> None:
    fields = Fields({"f": value})
    assert [fields.flag("f"), fields.text("f"), fields.integer("f", 0, 9), fields.inner("f"), fields.number("f")] == (
        [None] * 5
    )


@pytest.mark.parametrize("value", [30, "30", 30.0, "30.0", " 30 "])
def test_integer(value: object) -> None:
    assert Fields({"f": value}).integer("f", 0, 1440) == 30


@pytest.mark.parametrize("value", [True, 1441, -1, 30.5, float("nan"), float("inf"), "x", "1e3", [1], {"a": 1}])
def test_no_integer(value: object) -> None:
    with pytest.raises(ApiError, match=r"1010002 Invalid request\.f is invalid\."):
        Fields({"f": value}).integer("f", 0, 1440)


@pytest.mark.parametrize("value", ["+8613800000021", " 8613800000021", "+8613800000021 "])
def test_number(value: str) -> None:
    number = Fields({"f": value}).number("f")
    assert number is not None
    assert number.e164 == "+8613800000021"


@pytest.mark.parametrize("value", ["13800000021", "+86", "+86 138", "+861380000002x", 8613800000021, "+" + "1" * 21])
def test_no_number_and_the_hint_does_not_repeat_it(value: object) -> None:
    with pytest.raises(ApiError) as caught:
        Fields({"f": value}).number("f")
    assert caught.value.body == {"resultcode": "1010002", "resultdesc": "Invalid request.f is invalid."}


def test_user_data_and_tones() -> None:
    assert Fields({"userData": "a b"}).user_data() == "a b"
    for bad in ("{", "x}", "a" * 257, "a\0b"):
        with pytest.raises(ApiError):
            Fields({"userData": bad}).user_data()
    assert Fields({"t": "x_hint-1@.wav"}).tone("t") == "x_hint-1@.wav"
    for bad in ("../x.wav", ".x", "a/b", "a b"):
        with pytest.raises(ApiError):
            Fields({"t": bad}).tone("t")


def test_inner_object_may_be_wrapped_in_an_array() -> None:
    for value in ({"a": "1"}, [{"a": "1"}]):
        inner = Fields({"preVoice": value}).inner("preVoice")
        assert inner is not None
        assert inner.text("a") == "1"
    with pytest.raises(ApiError, match=r"preVoice\.a is invalid"):
        (Fields({"preVoice": {"a": [1]}}).inner("preVoice") or Fields({})).text("a")


def test_bodies() -> None:
    assert parse_object(b"") == {}
    assert parse_object(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
    assert parse_object(b'{"a":"\xc4\xe3"}') == {"a": "\ufffd\ufffd"}
    assert Fields(parse_object(b'{"a":"x\\ud800"}')).text("a") == "x?"
    for bad in (b"{", b"[]", b"1", b"a=b", b"[" * 60000, b'{"a":' + b"9" * 5000 + b"}"):
        with pytest.raises(ApiError, match="1010002"):
            parse_object(bad)
