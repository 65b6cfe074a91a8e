"""Numbers as carriers write and read them, in tables."""

from __future__ import annotations

import pytest

from gateway.numbers import NumberError, NumberRules, PhoneNumber

MOBILE, FIXED, BEIJING = "+8613800000021", "+8675526000000", "+861062000000"
SERVICE, SHORT, ABROAD = "+864001234567", "+8695588", "+12025550123"

WRITTEN = [
    # form            mobile            fixed             Beijing         service          short      abroad
    ("e164", MOBILE, FIXED, BEIJING, SERVICE, SHORT, ABROAD),
    ("digits", "8613800000021", "8675526000000", "861062000000", "864001234567", "8695588", "12025550123"),
    ("international", "008613800000021", "008675526000000", "00861062000000", "00864001234567", "008695588",
     "0012025550123"),
    ("national", "13800000021", "75526000000", "1062000000", "4001234567", "95588", "0012025550123"),
    ("dialled", "13800000021", "075526000000", "01062000000", "4001234567", "95588", "0012025550123"),
    ("trunk_prefix", "013800000021", "075526000000", "01062000000", "04001234567", "095588", "0012025550123"),
]  # fmt: skip


@pytest.mark.parametrize("row", WRITTEN, ids=[row[0] for row in WRITTEN])
def test_each_form_writes_each_kind_of_number(row: tuple[str, ...]) -> None:
    form, *texts = row
    numbers = [PhoneNumber(one) for one in (MOBILE, FIXED, BEIJING, SERVICE, SHORT, ABROAD)]
    rules = NumberRules(form=form)
    assert [rules.write(one) for one in numbers] == texts
    if form != "digits":
        assert [rules.read(text) for text in texts] == numbers, "what we write we read"


@pytest.mark.parametrize(
    ("rules", "number", "text"),
    [
        (NumberRules(add="12593"), MOBILE, "12593+8613800000021"),
        (NumberRules(form="national", add="179"), MOBILE, "17913800000021"),
        (NumberRules(form="digits", strip="86"), MOBILE, "13800000021"),
        (NumberRules(form="international", strip="00", add="+"), MOBILE, "+8613800000021"),
        (NumberRules(form="national", strip="99", add="0"), MOBILE, "013800000021"),
        (NumberRules(form="national", country="1"), ABROAD, "2025550123"),
        (NumberRules(form="dialled", country="1"), ABROAD, "02025550123"),
        (NumberRules(form="dialled", country="1"), MOBILE, "008613800000021"),
    ],
)
def test_access_codes_are_taken_off_and_put_on(rules: NumberRules, number: str, text: str) -> None:
    assert rules.write(PhoneNumber(number)) == text


@pytest.mark.parametrize(
    ("rules", "text", "number"),
    [
        (NumberRules(), "+86 138-0000.0021", MOBILE),
        (NumberRules(), "0755(2600)0000", FIXED),
        (NumberRules(strip_in=("12593", "9")), "1259313800000021", MOBILE),
        (NumberRules(strip_in=("12593", "9")), "913800000021", MOBILE),
        (NumberRules(strip_in=("9", "12593")), "1259313800000021", MOBILE),
        (NumberRules(strip_in=("12593",)), "13800000021", MOBILE),
        (NumberRules(strip_in=("1", "12593")), "1+8613800000021", MOBILE),
        (NumberRules(country="1"), "2025550123", ABROAD),
        (NumberRules(), "95588", SHORT),
    ],
)
def test_what_a_trunk_writes_is_one_number(rules: NumberRules, text: str, number: str) -> None:
    assert rules.read(text) == PhoneNumber(number)


@pytest.mark.parametrize("text", ["", "anonymous", "+", "1" * 30, "+86x"])
def test_what_is_no_number_is_not_repeated(text: str) -> None:
    with pytest.raises(NumberError) as raised:
        NumberRules().read(text)
    assert len(text) < 3 or text not in str(raised.value)
