"""Each carrier profile, read as a node reads it, against players of that carrier on both sides of a call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.assembly import exchange_settings
from gateway.calls.outputs import TrunkChanged
from gateway.calls.settings import TrunkSettings
from gateway.causes import Cause
from gateway.config.reading import ConfigError, load
from gateway.lab.analysis import seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.sip.message import Request, parse_message
from tests.sim.carrier import PASSWORD, REALM, USER, Carrier
from tests.sim.world import CALLEE, CALLER, GATEWAY, World

PROFILES = Path(__file__).parents[2] / "configs" / "carriers"
IMS = "ims.mnc000.mcc460.3gppnetwork.org"
BASE = """
[sip]
listen = ["udp:198.51.100.1:5060"]
[[trunk]]
name = "carrier"
peers = ["udp:192.0.2.20:5060"]
allow = ["192.0.2.0/24"]
"""


def trunk_of(tmp_path: Path, profile: str, more: str = "") -> TrunkSettings:
    """A trunk of that profile, as a node would have it."""
    file = tmp_path / "maskline.toml"
    file.write_text(f'{BASE}profile = "{profile}"\n{more}', encoding="utf-8")
    (trunk,) = exchange_settings(load(file, {})).trunks
    return trunk


class Stage:
    """A node with one such trunk, and the carrier's players on both sides."""

    def __init__(self, trunk: TrunkSettings, *, callee: Carrier | None = None) -> None:
        self.world = World(trunk=trunk)
        self.callee_side = callee or Carrier()
        self.caller_side = Carrier()
        self.world.carriers.update({CALLEE: self.callee_side, CALLER: self.caller_side})
        self.world.start()
        self.world.run(40.0)

    def call(
        self,
        *,
        caller: str,
        uri: str,
        called: str = "",
        headers: Sequence[tuple[str, str]] = (),
        callee: Script | None = None,
    ) -> tuple[Phone, Phone]:
        """A call from one side to the other, answered and hung up by the callee."""
        world = self.world
        dials = world.phone(CALLER, Script(tone_hz=700))
        rings = world.phone(CALLEE, callee or Script(tone_hz=1300, hang_up_after=2.0))
        world.do(dials, dials.dial(GATEWAY, uri, world.now, caller=caller, called=called, headers=headers))
        world.run(30.0)
        return dials, rings

    def invite(self) -> Request:
        """The INVITE that the callee's side got last."""
        return self.callee_side.of("INVITE")[-1]

    def finish(self) -> None:
        self.world.finish()
        assert [record.cause for record in self.world.records] == [Cause.NORMAL] * len(self.world.records)
        assert self.world.records


def said(request: Request) -> dict[str, str]:
    """The headers that speak of people, and the Request-URI."""
    wanted = ("To", "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Diversion", "History-Info")
    found = {name: value for name, value in request.headers if name in wanted}
    return {"uri": request.uri_text, "From": (request.headers.get("From") or "").partition(";tag=")[0], **found}


def test_every_profile_has_its_test() -> None:
    assert {file.stem for file in PROFILES.glob("*.toml")} == {"sipconnect", "ims", "softx3000", "registering-sbc"}


def test_sipconnect(tmp_path: Path) -> None:
    stage = Stage(trunk_of(tmp_path, "sipconnect", 'domain = "carrier.example"'))
    stage.call(
        caller='"Anonymous" <sip:anonymous@anonymous.invalid>',
        uri="sip:+8617000000001@198.51.100.1:5060;user=phone",
        headers=[
            ("P-Asserted-Identity", "<sip:+8613800000021@carrier.example;user=phone>"),
            ("Privacy", "id"),
            ("Diversion", "<sip:+8613900000001@carrier.example>;reason=user-busy"),
        ],
    )
    x = "<sip:+8617000000001@carrier.example;user=phone>"
    assert said(stage.invite()) == {
        "uri": "sip:+8613800000023@192.0.2.20:5060;user=phone",
        "From": x,
        "To": "<sip:+8613800000023@carrier.example;user=phone>",
        "P-Asserted-Identity": x,
        "Diversion": f"{x};reason=unconditional;privacy=off;counter=1",
    }
    assert stage.callee_side.of("OPTIONS")
    assert "up" in [change.state for change in stage.world.of(TrunkChanged)]
    stage.finish()


@pytest.mark.parametrize(
    "callee",
    [
        Script(tone_hz=1300, ring_after=None, answer_after=6.0, hang_up_after=2.0),
        Script(tone_hz=1300, ringing=183, early_hz=425, early_media=False, answer_after=6.0, hang_up_after=2.0),
    ],
    ids=["no 18x at all", "183 without media"],
)
def test_ims(tmp_path: Path, callee: Script) -> None:
    stage = Stage(trunk_of(tmp_path, "ims", f'domain = "{IMS}"'))
    stage.caller_side.adds += [
        ("P-Charging-Vector", "icid-value=1234bc9876e;icid-generated-at=192.0.2.6;orig-ioi=home1.net"),
        ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=460000000000"),
        ("P-Visited-Network-ID", '"Visited network number 1"'),
        ("P-Early-Media", "supported"),
    ]
    stage.caller_side.sdp += [
        (b"RTP/AVP 8 0 101", b"RTP/AVP 104 8 0 105 101"),
        (b"a=rtpmap:101 telephone-event/8000", b"a=rtpmap:104 AMR-WB/16000/1\r\na=rtpmap:105 telephone-event/16000\r\n"
         b"a=fmtp:105 0-15\r\na=rtpmap:101 telephone-event/8000"),
    ]  # fmt: skip
    dials, _ = stage.call(
        caller=f"<sip:+8613800000021@{IMS};user=phone>",
        uri=f"tel:17000000001;phone-context={IMS}",
        headers=[("P-Asserted-Identity", f"<sip:+8613800000021@{IMS};user=phone>, <tel:+8613800000021>")],
        callee=callee,
    )
    x = f"<sip:+8617000000001@{IMS};user=phone>"
    b = f"sip:+8613800000023@{IMS};user=phone"
    assert said(stage.invite()) == {
        "uri": b,
        "From": x,
        "To": f"<{b}>",
        "P-Asserted-Identity": f"{x}, <tel:+8617000000001>",
        "History-Info": f"{x};index=1, <{b};cause=302>;index=1.1;mp=1",
    }
    for name in ("P-Charging-Vector", "P-Access-Network-Info", "P-Visited-Network-ID"):
        assert stage.invite().headers.get(name) is None
    assert seconds_of(heard_between(dials, None, dials.answered_at), 450) > 0.5, "ring-back is ours"
    stage.finish()


def test_softx3000(tmp_path: Path) -> None:
    stage = Stage(trunk_of(tmp_path, "softx3000", '[trunk.numbers]\nstrip_in = "12593"\n'))
    stage.callee_side.says = 405
    stage.caller_side.sdp += [
        (b"RTP/AVP 8 0 101", b"RTP/AVP 8 102"), (b":101 telephone-event", b":102 telephone-event"),
        (b"a=fmtp:101", b"a=fmtp:102"), (b"a=rtpmap:0 PCMU/8000\r\n", b""),
    ]  # fmt: skip
    dials, _ = stage.call(
        caller="<sip:013800000021@192.0.2.10;user=phone>", uri="sip:1259317000000001@198.51.100.1;user=phone"
    )
    assert said(stage.invite()) == {
        "uri": "sip:13800000023@192.0.2.20:5060;user=phone",
        "From": "<sip:17000000001@198.51.100.1;user=phone>",
        "To": "<sip:13800000023@192.0.2.20:5060;user=phone>",
    }
    assert b"RTP/AVP 8 101" in stage.invite().body
    (answer, *_) = [trace.data for trace in dials.traces if not trace.sent and b"application/sdp" in trace.data]
    assert b"RTP/AVP 8 102" in answer
    assert "down" not in [change.state for change in stage.world.of(TrunkChanged)], "405 is an answer"
    stage.finish()


ACCOUNT = f"""domain = "{REALM}"
[trunk.account]
user = "{USER}"
password = "{PASSWORD}"
realm = "{REALM}"
[trunk.registration]
domain = "{REALM}"
"""


@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256", "MD5")])
@pytest.mark.parametrize("proxy", [False, True])
def test_registering_sbc(tmp_path: Path, algorithms: tuple[str, ...], proxy: bool) -> None:
    carrier = Carrier(
        asks={"REGISTER", "INVITE", "BYE"}, algorithms=algorithms, proxy=proxy, registrar=True, least=300, grants=300
    )
    stage = Stage(trunk_of(tmp_path, "registering-sbc", ACCOUNT), callee=carrier)
    assert carrier.contact == f"<sip:{USER}@198.51.100.1:5060>"
    stage.call(
        caller="<sip:13800000021@ims.example>",
        uri=f"sip:{USER}@198.51.100.1:5060",
        called="<sip:17000000001@ims.example>",
    )
    x = f"<sip:+8617000000001@{REALM};user=phone>"
    assert said(stage.invite()) == {
        "uri": "sip:+8613800000023@192.0.2.20:5060;user=phone",
        "From": f"<sip:{USER}@{REALM}>",
        "To": f"<sip:+8613800000023@{REALM};user=phone>",
        "P-Preferred-Identity": x,
    }
    header = "Proxy-Authorization" if proxy else "Authorization"
    assert stage.invite().headers.get(header)
    assert all(bye.headers.get(header) for bye in carrier.of("BYE"))
    stage.world.run(2000.0)
    assert carrier.registered_until > stage.world.now
    assert [change.state for change in stage.world.of(TrunkChanged)] == ["registered"]
    stage.finish()
    assert carrier.contact == ""


# --- reading profiles -------------------------------------------------------------------------------------------------


def test_own_keys_win_in_tables_too(tmp_path: Path) -> None:
    trunk = trunk_of(tmp_path, "ims", 'sms = "text"\n[trunk.identity]\nhistory = false\n')
    assert not trunk.sms_as_3gpp
    assert not trunk.identity.history
    assert trunk.identity.asserted == "both"


def test_a_profile_beside_the_configuration_comes_first(tmp_path: Path) -> None:
    (tmp_path / "carriers").mkdir()
    (tmp_path / "carriers" / "ims.toml").write_text('[numbers]\nform = "digits"\n')
    trunk = trunk_of(tmp_path, "ims")
    assert (trunk.rules.form, trunk.identity.asserted) == ("digits", "sip")


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("nobody", "there is no profile 'nobody': ims, registering-sbc, sipconnect, softx3000"),
        ("../maskline", "there is no profile '../maskline'"),
        ("broken", "broken.toml can't be read"),
    ],
)
def test_faults_of_a_profile_name_its_key(tmp_path: Path, profile: str, text: str) -> None:
    (tmp_path / "carriers").mkdir()
    if profile == "broken":
        (tmp_path / "carriers" / "broken.toml").write_text("= 7")
    with pytest.raises(ConfigError) as raised:
        trunk_of(tmp_path, profile)
    ((key, said),) = raised.value.faults
    assert key == "trunk[0].profile"
    assert text in said


def test_an_unknown_key_of_a_profile_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "carriers").mkdir()
    (tmp_path / "carriers" / "odd.toml").write_text("colour = 7\n")
    with pytest.raises(ConfigError) as raised:
        trunk_of(tmp_path, "odd")
    assert raised.value.faults == [("trunk[0].colour", "is no key of the configuration")]


def test_a_carrier_plays_what_it_says() -> None:
    """The player's own rewriting keeps a message whole."""
    carrier = Carrier()
    carrier.adds, carrier.sdp = [("P-X", "1")], [(b"old", b"newer")]
    data = (
        b"INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:x@y>\r\nContent-Length: 3\r\n\r\nold"
    )
    request = parse_message(carrier.leaving(data))
    assert request.body == b"newer"
    assert request.headers.get("P-X") == "1"
