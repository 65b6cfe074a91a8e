"""Configuration: defaults, file, environment; every fault at once with its key's path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.assembly import exchange_settings
from gateway.calls.policy import IdentityPolicy
from gateway.calls.settings import AccountSettings, ProbeSettings, RegistrationSettings
from gateway.config.reading import ConfigError, load
from gateway.config.tree import advertised, media_advertised, media_listen
from gateway.numbers import NumberRules
from gateway.sip.hop import Hop

ROOT = Path(__file__).parent.parent
MINIMAL = """
[sip]
listen = ["udp:127.0.0.1:5060"]
[[trunk]]
name = "t"
peers = ["udp:127.0.0.1:5090"]
allow = ["127.0.0.0/24"]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "maskline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as raised:
        load(write(tmp_path, text), environment or {})
    return dict(raised.value.faults)


def test_dev_configuration_is_what_the_readme_says() -> None:
    config = load(ROOT / "configs" / "dev.toml", {})
    assert [str(hop) for hop in config.sip.listen] == [
        "udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "ws:127.0.0.1:5062"
    ]  # fmt: skip
    assert config.webrtc.enabled
    assert "http://127.0.0.1:8080" in config.sip.origins
    assert [str(hop) for hop in config.trunk[0].peers] == ["udp:127.0.0.1:5090"]
    assert config.trunk[0].calls_per_second is None
    assert config.web.listen == ("127.0.0.1", 8080)
    assert config.media.ports == (20000, 29999)
    assert [(entry.key, entry.mode, entry.recording) for entry in config.application] == [
        ("demo-axb", "AXB", True),
        ("demo-ax", "AX", True),
    ]
    assert [len(entry.number) for entry in config.number] == [9, 9]
    assert config.number[1].number[-1].e164 == "+8617000000019"
    assert config.recordings.retention_days == 7


def test_every_documented_key_is_a_default() -> None:
    """configs/maskline.toml shows every key with its default, so loading it equals loading the bare minimum."""
    full = load(ROOT / "configs" / "maskline.toml", {}).without_secrets()
    assert set(full) == {
        "node", "sip", "defence", "trunk", "media", "web", "database", "recordings", "calls", "events", "tones", "mail",
        "records", "route", "metrics", "phones", "trace", "hep", "otel", "webrtc", "application", "number",
    }  # fmt: skip


def test_environment_overrides_every_kind_of_key(tmp_path: Path) -> None:
    config = load(
        write(tmp_path, MINIMAL),
        {
            "MASKLINE_MEDIA__WORKERS": "3",
            "MASKLINE_TRUNK__0__NAME": "carrier",
            "MASKLINE_TRUNK__0__PEERS": '["udp:127.0.0.1:5070", "tcp:127.0.0.1:5070"]',
            "MASKLINE_NODE__NAME": "gw1",
            "HOME": "/ignored",
        },
    )
    assert (config.media.workers, config.trunk[0].name, config.node.name) == (3, "carrier", "gw1")
    assert [hop.transport for hop in config.trunk[0].peers] == ["udp", "tcp"]


def test_all_faults_at_once_with_their_paths(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
[sip]
listen = ["udp:127.0.0.1:5060"]
foo = 1
[[trunk]]
name = "t"
peers = ["sctp:127.0.0.1:5090"]
allow = ["127.0.0.0/33"]
[media]
ports = "9-5"
""",
        {"MASKLINE_TRUNK__7__NAME": "x"},
    )
    assert {"sip.foo", "trunk[0].peers[0]", "trunk[0].allow[0]", "media.ports", "MASKLINE_TRUNK__7__NAME"} <= set(found)


@pytest.mark.parametrize(
    ("listen", "shown"),
    [
        ("udp:127.0.0.1:5060", "192.0.2.1"),
        ("udp:0.0.0.0:5060", "127.0.0.1"),
        ("udp:0.0.0.0:5060", "0.0.0.0"),
        ("udp:0.0.0.0:5060", ""),
        ("udp:192.0.2.1:5060", "2001:db8::1"),
        ("udp:192.0.2.1:5060", "224.0.0.1"),
    ],
)
def test_unroutable_advertised_address_is_refused(tmp_path: Path, listen: str, shown: str) -> None:
    text = MINIMAL.replace("udp:127.0.0.1:5060", listen)
    assert "sip.advertised" in faults(tmp_path, text, {"MASKLINE_SIP__ADVERTISED": shown})


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"MASKLINE_SIP__LISTEN": '["tls:127.0.0.1"]'}, "sip"),
        ({"MASKLINE_SIP__CERTIFICATE": "gw.pem"}, "sip"),
        ({"MASKLINE_TRUNK__0__SECURE": "true"}, "trunk[0]"),
        ({"MASKLINE_TRUNK__0__PEERS": '["wss:127.0.0.1"]'}, "trunk[0]"),
        ({"MASKLINE_TRUNK__0__TLS_NAME": "not a name"}, "trunk[0].tls_name"),
    ],
)
def test_tls_that_can_not_work_is_refused(tmp_path: Path, more: dict[str, str], key: str) -> None:
    assert set(faults(tmp_path, MINIMAL, more)) == {key}


def test_a_secure_trunk(tmp_path: Path) -> None:
    given = {"SECURE": "true", "PEERS": '["tls:127.0.0.1", "tls:127.0.0.2:5070"]', "TLS_NAME": "carrier.example"}
    config = load(write(tmp_path, MINIMAL), {f"MASKLINE_TRUNK__0__{key}": value for key, value in given.items()})
    assert config.trunk[0].hops == (
        Hop("tls", "127.0.0.1", 5061, "carrier.example"), Hop("tls", "127.0.0.2", 5070, "carrier.example"),
    )  # fmt: skip


BOTH = {"MASKLINE_SIP__LISTEN": '["udp:192.0.2.1", "udp:[2001:db8::1]", "tcp:[2001:db8::1]:5070"]'}


def test_addresses_by_version_of_ip(tmp_path: Path) -> None:
    text = write(tmp_path, MINIMAL)
    sip = load(text, BOTH | {"MASKLINE_SIP__ADVERTISED": "203.0.113.1"}).sip
    assert sip.shown(4) == {"udp": Hop("udp", "203.0.113.1", 5060)}
    assert sip.shown(6) == {"udp": Hop("udp", "2001:db8::1", 5060), "tcp": Hop("tcp", "2001:db8::1", 5070)}
    sip = load(text, BOTH | {"MASKLINE_SIP__ADVERTISED6": "2001:db8::9"}).sip
    assert sip.shown(6)["udp"].host == "2001:db8::9"
    assert load(text, {}).sip.shown(6) == {}


@pytest.mark.parametrize(
    "more",
    [
        {"LISTEN": '["udp:192.0.2.1", "udp:[::]"]'},
        {"ADVERTISED6": "2001:db8::9"},
        {"LISTEN": '["udp:[2001:db8::1]"]', "ADVERTISED6": "192.0.2.1"},
    ],
)
def test_an_unroutable_address_of_ipv6_is_refused(tmp_path: Path, more: dict[str, str]) -> None:
    assert "sip.advertised6" in faults(tmp_path, MINIMAL, {f"MASKLINE_SIP__{key}": more[key] for key in more})


def test_references_must_exist(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        MINIMAL + '[[number]]\nnumber = "+8617000000001"\napplication = "nobody"\n[calls]\ndefault_trunk = "u"\n',
    )
    assert set(found) == {"number[0].application", "calls.default_trunk"}


def test_routes_and_ranks_are_checked(tmp_path: Path) -> None:
    trunk = MINIMAL + "priorities = [1, 2]\n"
    assert "priorities: one for each of peers, or none" in faults(tmp_path, trunk)["trunk[0]"]
    route = '[[route]]\napplication = "nobody"\ntrunks = ["t", "u"]\n'
    assert set(faults(tmp_path, MINIMAL + route)) == {"route[0].application", "route[0].trunks"}
    good = load(write(tmp_path, MINIMAL + '[[route]]\ntrunks = ["t", "t"]\nweights = [1, 3]\n'), {})
    assert good.route[0].ranks == ((0, 1), (0, 3))
    assert good.trunk[0].ranks == ()


def test_accounts_and_registrations_must_be_whole(tmp_path: Path) -> None:
    found = faults(tmp_path, MINIMAL + '[trunk.account]\nuser = "u"\n')
    assert found == {"trunk[0].account": "user and realm: both, or none"}
    found = faults(tmp_path, MINIMAL + '[trunk.registration]\ndomain = "ims.example"\n')
    assert found == {"trunk[0]": "registration.user: needed, since there is no account"}


def test_a_trunk_is_heard_from_its_peers_when_it_says_no_more(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL.replace('allow = ["127.0.0.0/24"]', "")), {})
    assert [str(network) for network in config.trunk[0].sources] == ["127.0.0.1/32"]


def test_what_a_trunk_s_tables_mean_to_the_call_path(tmp_path: Path) -> None:
    text = """health_seconds = 10
[trunk.account]
user = "4000001"
password = "s"
realm = "ims.example"
[trunk.registration]
domain = "ims.example"
"""
    (trunk,) = exchange_settings(load(write(tmp_path, MINIMAL + text), {})).trunks
    assert trunk.account == AccountSettings("4000001", "s", "ims.example")
    assert trunk.registration == RegistrationSettings("4000001", "ims.example", 3600, 25)
    assert trunk.probe == ProbeSettings(10, 3, 2)
    (bare,) = exchange_settings(load(write(tmp_path, MINIMAL + 'health = "off"'), {})).trunks
    assert (bare.account, bare.registration, bare.probe) == (None, None, None)


def test_the_identity_of_a_trunk(tmp_path: Path) -> None:
    text = """domain = "ims.example"
[trunk.identity]
from = "account"
uri = "tel"
asserted = "both"
caller = ["From"]
[trunk.shown]
form = "national"
[trunk.numbers]
strip_in = "12593"
"""
    config = load(write(tmp_path, MINIMAL + text), {})
    (trunk,) = exchange_settings(config).trunks
    assert trunk.identity == IdentityPolicy(
        from_="account", tel=True, asserted="both", caller=("From",), shown_rules=NumberRules(form="national")
    )
    assert trunk.rules == NumberRules(strip_in=("12593",))
    assert config.without_secrets()["trunk"][0]["identity"]["from"] == "account"
    (bare,) = exchange_settings(load(write(tmp_path, MINIMAL), {})).trunks
    assert bare.identity == IdentityPolicy()


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path / "absent.toml", {})
    with pytest.raises(ConfigError, match="is not TOML"):
        load(write(tmp_path, "[sip"), {})


def test_secrets_do_not_show(tmp_path: Path) -> None:
    text = MINIMAL + '[[application]]\nkey = "k"\nsecret = "hidden"\nmode = "AX"\n'
    config = load(write(tmp_path, text), {})
    assert config.application[0].secret.get_secret_value() == "hidden"
    assert "hidden" not in json.dumps(config.without_secrets()) + repr(config)


def test_addresses_follow_from_one_another(tmp_path: Path) -> None:
    config = load(write(tmp_path, MINIMAL), {})
    assert (advertised(config), media_listen(config), media_advertised(config)) == ("127.0.0.1",) * 3
    wild = load(
        write(tmp_path, MINIMAL.replace("udp:127.0.0.1:5060", "udp:0.0.0.0:5060")),
        {"MASKLINE_SIP__ADVERTISED": "192.0.2.7"},
    )
    assert (advertised(wild), media_listen(wild), media_advertised(wild)) == ("192.0.2.7", "0.0.0.0", "192.0.2.7")


def test_phones_have_a_name_and_times_of_their_own(tmp_path: Path) -> None:
    found = faults(tmp_path, MINIMAL.replace('name = "t"', 'name = "phones"'))
    assert list(found) == ["trunk[0].name"]
    found = faults(tmp_path, MINIMAL + "[phones]\nmin_seconds = 900\n")
    assert "between min_seconds and max_seconds" in found["phones"]
    known = load(write(tmp_path, MINIMAL + '[phones]\nenabled = true\ndigest = ["SHA-256", "MD5"]\n'), {})
    phones = exchange_settings(known).phones
    assert phones is not None
    assert (phones.algorithms, phones.trunk.name, phones.trunk.nat) == (("SHA-256", "MD5"), "phones", True)
    assert exchange_settings(load(write(tmp_path, MINIMAL), {})).phones is None
