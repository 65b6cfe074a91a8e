"""docs/growing.md says of the code's defaults what they are; configs/kamailio names two nodes and a carrier."""

from __future__ import annotations

from pathlib import Path

from gateway.config.reading import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "growing.md").read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_code_and_the_benches() -> None:
    config = load(ROOT / "configs" / "maskline.toml", {})
    low, high = config.media.ports
    assert f'`ports = "{low}-{high}"` holds {(high - low + 1) // 4:,} calls' in TEXT
    assert f"`media.rest_seconds` ({config.media.rest_seconds:.0f})" in TEXT
    media = (ROOT / "docs" / "media.md").read_text(encoding="utf-8")
    (row,) = (line for line in media.splitlines() if line.startswith("| us of CPU, recv to send"))
    sources, compiled = (cell.strip() for cell in row.split("|")[2:4])
    assert f"| {sources} / {compiled} us | measured" in TEXT
    # Half a core over what a call's packets take in a second.
    assert abs(0.5 / (float(sources) * 1e-6 * 100) - 800) < 50
    for name in ("configs/compose.yaml", "configs/kamailio", "configs/k8s"):
        assert f"`{name}`" in TEXT
        assert (ROOT / name).exists()


def test_the_dispatcher_lists_nodes_in_one_set_and_carriers_in_the_other() -> None:
    lines = (ROOT / "configs" / "kamailio" / "dispatcher.list").read_text(encoding="utf-8").splitlines()
    sets = [line.split()[0] for line in lines if not line.startswith("#")]
    assert sets == ["1", "1", "2"]
    configuration = (ROOT / "configs" / "kamailio" / "kamailio.cfg").read_text(encoding="utf-8")
    assert 'ds_select_dst("1"' in configuration
    assert 'ds_select_dst("2"' in configuration
