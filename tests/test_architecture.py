"""The house rules that a machine can check: imports point down, no cycle, pure files know no clock, socket or chance.

The rules are those of README "Tour of the tree". A file is pure unless it is listed in ``IO``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("gateway", "maskline", "media")

# The rim: files that may touch the world.
IO = {
    "gateway.cli_recordings",
    "gateway.space",
    "gateway.__main__", "gateway.cli", "gateway.cli_lab",
    "gateway.cli_ledger", "gateway.assembly", "gateway.config", "gateway.service",
    "gateway.start", "gateway.explaining",
    "gateway.vault.columns", "gateway.vault.keys", "gateway.vault.guard", "gateway.resealing", "gateway.cli_vault",
    "gateway.cli_database", "gateway.selecting", "gateway.committing", "gateway.sqlite_thread",
    "gateway.cli_trunk_test", "gateway.trunktest.ears", "gateway.trunktest.stage", "gateway.trunktest.setting",
    "gateway.trunktest.running",
    "gateway.cli_doctor", "gateway.doctor.world", "gateway.doctor.services", "gateway.doctor.rounds",
    "gateway.cli_trace", "gateway.tracing.store", "gateway.tracing.keeper", "gateway.tracing.tap",
    "gateway.greeting", "gateway.telemetry.spans", "gateway.telemetry.follower",
    "gateway.tracing.collector", "gateway.measures", "gateway.metrics.stalls", "gateway.metrics.backlog",
    "gateway.web", "gateway.channel", "gateway.log", "gateway.database", "gateway.tones.folder", "gateway.tones.store",
    "gateway.phones.book", "gateway.phones.contacts", "gateway.phones.desk", "gateway.cli_phone",
    "gateway.records", "gateway.recordings", "gateway.tones.child", "gateway.tones.shelf",
    "gateway.sip.resolver", "gateway.sip.named_hops", "gateway.calls.locating",
    "gateway.certificate", "gateway.sip.tls", "gateway.sip.pressure", "gateway.sip.transport",
    "gateway.sip.stream", "gateway.sip.endpoint",
    "gateway.bindings.store", "gateway.bindings.pool", "gateway.bindings.purge", "gateway.bindings.seeding",
    "gateway.bindings.store_axb", "gateway.bindings.store_ax", "gateway.bindings.store_axe",
    "gateway.bindings.store_axyb", "gateway.bindings.lists", "gateway.bindings.relations",
    "gateway.calls.history", "gateway.calls.looking",
    "gateway.calls.switchboard", "gateway.calls.journal", "gateway.calls.journal_rows", "gateway.calls.media_pool",
    "gateway.api", "gateway.admin", "gateway.console", "gateway.cli_token", "gateway.lab",
    "gateway.scenarios.scenario", "gateway.scenarios.stage", "gateway.scenarios.desk", "gateway.scenarios.virtual",
    "gateway.scenarios.carrier", "gateway.scenarios.relay", "gateway.scenarios.real", "gateway.scenarios.reporting",
    "gateway.scenarios.running", "gateway.scenarios.serving", "gateway.scenarios.handles", "gateway.scenarios.texting",
    "gateway.messages.forwarder",
    "gateway.migrations",
    "media.worker", "media.webrtc", "media.candidates", "media.edge", "media.wire", "gateway.browsers.line",
    "media.recording.spool", "media.recording.parts", "media.recording.render", "media.recording.store",
    "media.recording.multipart",
    "media.sounds", "maskline.pytest",
}  # fmt: skip
IMPURE = {
    "asyncio", "socket", "time", "random", "os", "secrets", "select", "selectors", "subprocess", "threading",
    "multiprocessing", "logging", "structlog", "aiohttp", "uvicorn", "uvloop", "signal", "pathlib", "tempfile",
    "shutil",
}  # fmt: skip

# What a package may import of the project; its own package is always allowed. "gateway.x" is a leaf file.
LEAVES = {
    "gateway.errors",
    "gateway.numbers",
    "gateway.causes",
    "gateway.log",
    "gateway.questions",
    "gateway.standing",
    "gateway.certificate",
    "gateway.metrics.catalog",
    "gateway.metrics.tally",
}
MAY_IMPORT = {
    "gateway.sip": LEAVES,
    "gateway.sdp": LEAVES | {"media.browser"},
    "gateway.bindings": LEAVES | {"gateway.schema", "gateway.database", "gateway.vault.guard"},
    "gateway.calls": LEAVES | {"gateway.metrics.calls", "gateway.sms",
                               "gateway.sip", "gateway.sdp", "gateway.bindings", "gateway.schema",
                               "gateway.database", "media.control"},
    "gateway.metrics": LEAVES | {"gateway.schema", "gateway.database", "gateway.sip.hop"},
    "gateway.sms": LEAVES,
    "gateway.messages": LEAVES | {"gateway.sms", "gateway.bindings", "gateway.schema", "gateway.database"},
    "gateway.api": LEAVES | {"gateway.bindings", "gateway.calls.payloads", "gateway.schema", "gateway.database",
                             "gateway.recordings", "media.recording"},
    "gateway.tracing": LEAVES | {"gateway.schema", "gateway.database", "gateway.vault.columns", "gateway.sip.hop",
                                 "gateway.metrics.traffic", "gateway.lab.ladder"},
    "gateway.browsers": LEAVES | {"gateway.sip", "gateway.sdp", "media.browser"},
    "gateway.phones": LEAVES | {"gateway.sip", "gateway.calls.phones", "gateway.schema", "gateway.database",
                                "gateway.vault.columns"},
    "gateway.telemetry": LEAVES | {"gateway.calls", "gateway.config.tree", "gateway.api.callbacks",
                          "gateway.api.due", "media.control"},
    "gateway.vault": LEAVES,
    "gateway.admin": LEAVES | {"gateway.bindings", "gateway.schema", "gateway.database", "gateway.entries",
                               "gateway.recordings", "media.recording.store",
                               "gateway.vault.columns",
                               "gateway.api.docs_page", "gateway.api.ledger", "gateway.api.limits", "gateway.tones",
                               "gateway.tracing", "gateway.records", "gateway.phones",
                               "gateway.config.forms",
                               "gateway.config.tree"},
    "gateway.console": LEAVES | {"gateway.admin", "gateway.api.limits", "gateway.database"},
    "gateway.records": LEAVES | {"gateway.schema", "gateway.database"},
    "gateway.recordings": LEAVES | {"gateway.schema", "gateway.database", "gateway.vault", "media.recording"},
    "gateway.tones": LEAVES | {"gateway.schema", "gateway.database", "media.tones", "media.recording.wav"},
    "gateway.lab": LEAVES | {"gateway.sip", "gateway.sdp", "gateway.config", "gateway.calls.privacy"},
    "gateway.scenarios": LEAVES | {"gateway.lab", "gateway.config", "gateway.assembly", "gateway.api", "gateway.calls",
                                   "gateway.bindings", "gateway.database", "gateway.messages", "gateway.sip",
                                   "gateway.sms", "gateway.tones", "media"},
    "maskline": {"gateway.scenarios"},
    "media": set(),
}  # fmt: skip


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that a file imports at run time (not under TYPE_CHECKING), fully named."""
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


MODULES = modules()
GRAPH = {name: {other for other in imports(tree) if other in MODULES} - {name} for name, tree in MODULES.items()}


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 40


def test_pure_files_import_nothing_impure() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, tree in MODULES.items()
        if not within(name, IO)
        for other in imports(tree)
        if other.split(".")[0] in IMPURE
    ]
    assert wrong == []


def test_listed_files_exist() -> None:
    assert {name for name in IO if not any(within(module, {name}) for module in MODULES)} == set()


def test_imports_point_down() -> None:
    wrong = []
    for name, others in GRAPH.items():
        package = name.split(".")[0] if not name.startswith("gateway") else ".".join(name.split(".")[:2])
        allowed = MAY_IMPORT.get(package)
        if allowed is not None:
            wrong += [f"{name} imports {other}" for other in others if not within(other, allowed | {package})]
    assert [row for row in wrong if not row.endswith((" imports gateway", " imports maskline", " imports media"))] == []


def test_no_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in GRAPH[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    for name, tree in MODULES.items():
        if (ROOT / Path(*name.split("."), "__init__.py")).exists():
            assert ast.get_docstring(tree), f"{name}: no docstring"
            assert len(tree.body) == 1, f"{name}: more than a docstring"
