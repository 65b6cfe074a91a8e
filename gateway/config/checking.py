"""What each key alone doesn't show. A fault is (key path, what is wrong)."""

from __future__ import annotations

from ipaddress import ip_address

from gateway.config.tree import Config, media_listen
from gateway.numbers import PhoneNumber


def contradictions(config: Config) -> list[tuple[str, str]]:
    """All such faults: addresses nobody can reach, references to nothing, doubles."""
    faults = _advertised_faults(config)
    keys = [entry.key for entry in config.application]
    names = [trunk.name for trunk in config.trunk]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            faults.append((f"application[{index}].key", f"{key!r} is given twice"))
    for index, name in enumerate(names):
        if name in names[:index]:
            faults.append((f"trunk[{index}].name", f"{name!r} is given twice"))
        if name == "phones":
            faults.append(
                (f"trunk[{index}].name", "'phones' is what phones are called that register (section [phones])")
            )
        if config.trunk[index].client_ca and not config.sip.certificate:
            faults.append((f"trunk[{index}].client_ca", "needs sip.certificate: without it nobody connects by TLS"))
    if config.calls.default_trunk and config.calls.default_trunk not in names:
        faults.append(("calls.default_trunk", f"no [[trunk]] is named {config.calls.default_trunk!r}"))
    for index, route in enumerate(config.route):
        for unknown in sorted(set(route.trunks) - set(names)):
            faults.append((f"route[{index}].trunks", f"no [[trunk]] is named {unknown!r}"))
        if route.application and route.application not in keys:
            faults.append((f"route[{index}].application", f"no [[application]] has the key {route.application!r}"))
    if bool(config.web.certificate) != bool(config.web.key):
        missing, given = ("key", "certificate") if config.web.certificate else ("certificate", "key")
        faults.append((f"web.{missing}", f"must be given with web.{given}"))
    if config.recordings.encrypt and not config.database.key_file:
        faults.append(("recordings.encrypt", "needs database.key_file: recordings' keys are sealed under its key"))
    for index, application in enumerate(config.application):
        if application.recording_form == "flac" and config.recordings.links == "store":
            faults.append((f"application[{index}].recording_form", 'can\'t be flac with recordings.links = "store"'))
    owned: set[PhoneNumber] = set()
    for index, entry in enumerate(config.number):
        if entry.application not in keys:
            faults.append((f"number[{index}].application", f"no [[application]] has the key {entry.application!r}"))
        if owned.intersection(entry.number):
            faults.append((f"number[{index}].number", "a number is given twice"))
        owned.update(entry.number)
    return faults


def _advertised_faults(config: Config) -> list[tuple[str, str]]:
    """An address in Via, Contact and SDP that the trunk can't reach loses every ACK (pains.md P2): refuse it here."""
    faults: list[tuple[str, str]] = []
    if not config.sip.listen:
        return [("sip.listen", "names no address to listen on")]
    hosts = [hop.host for hop in config.sip.listen]
    four = [host for host in hosts if ip_address(host).version == 4]
    six = [host for host in hosts if host not in four]
    checked = [
        ("sip.advertised", config.sip.advertised, four or six),
        ("media.advertised", config.media.advertised, [media_listen(config)]),
    ]
    if (four and six) or config.sip.advertised6:
        checked.append(("sip.advertised6", config.sip.advertised6, six or four))
    for key, text, listens in checked:
        shown = ip_address(text) if text else None
        bound = [ip_address(host) for host in listens]
        wild = any(address.is_unspecified for address in bound)
        if shown is None:
            if wild and key.startswith("sip."):
                faults.append(
                    (key, "must be set when sip.listen is 0.0.0.0 or ::, since peers must be told an address")
                )
            elif wild and not config.sip.advertised:
                faults.append((key, "must be set when media.listen is 0.0.0.0 or ::"))
            continue
        if shown.is_unspecified or shown.is_multicast or str(shown) == "255.255.255.255":
            faults.append((key, f"{text} is unroutable: nobody can send to it"))
        elif all(address.is_loopback for address in bound) and not shown.is_loopback:
            faults.append((key, f"{text} is unroutable: we listen on loopback only ({listens[0]})"))
        elif shown.is_loopback and not all(address.is_loopback for address in bound):
            faults.append((key, f"{text} is unroutable for peers of {listens[0]}: it is loopback"))
        elif all(address.version != shown.version for address in bound):
            faults.append((key, f"{text} is of another IP version than what we listen on"))
    return faults
