"""Serving: what is refused, and what is switched off."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.cli import serve, streamlit_options
from miner.errors import InputError


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} cannot be used"):
            serve(tmp_path, port)


def test_a_port_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Port 99999 cannot be used"):
        serve(tmp_path, 99_999)


def test_nothing_leaves_the_machine() -> None:
    options = streamlit_options()
    assert options["browser_gatherUsageStats"] is False
    assert options["server_address"] == "127.0.0.1"
    assert options["client_showErrorLinks"] is False
    assert options["server_fileWatcherType"] == "none"


def test_every_option_is_one_that_streamlit_knows() -> None:
    from streamlit import config

    known = config.get_config_options()
    assert not {name.replace("_", ".") for name in streamlit_options()} - set(known)


def test_the_command_imports_nothing_heavy() -> None:
    heavy = ("streamlit", "plotly", "polars", "duckdb")
    code = f"import dashboards.cli, sys; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
