"""Serving the dashboards."""

from __future__ import annotations

import os
import socket
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from miner.errors import InputError
from miner.settings import settings

HOST = "127.0.0.1"


def serve(store: Path, port: int = 8501) -> None:
    """Serve the dashboards of `store` on this machine only, until interrupted.

    Prints the address. Nothing is fetched from or sent to anywhere else. Raises InputError when the
    port is taken or cannot be used.
    """
    _check_port(port)
    os.environ["PROCESSION_STORE"] = str(Path(store).absolute())
    settings.cache_clear()

    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import bootstrap

    # Otherwise the first visitor of a link to a page gets that page alone, without app.py around
    # it, because a folder named pages lies beside it.
    PagesManager.uses_pages_directory = False
    app = files("dashboards").joinpath("app.py")
    options = {**streamlit_options(), "server_port": port}
    bootstrap.load_config_options(options)
    print(f"Dashboards on http://localhost:{port} (Ctrl-C ends them)", flush=True)
    bootstrap.run(str(app), False, [], options)


def streamlit_options() -> dict[str, Any]:
    """The options in `dashboards/.streamlit/config.toml`, named as flags are.

    They are given as flags, so that they hold in any folder and nobody's own configuration can undo
    them.
    """
    text = files("dashboards").joinpath(".streamlit", "config.toml").read_text("utf-8")
    return _flat(tomllib.loads(text))


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= (
            _flat(value, f"{before}{key}_") if isinstance(value, dict) else {before + key: value}
        )
    return found


def _check_port(port: int) -> None:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"Port {port} cannot be used: {reason}.", hint="Choose another one with --port."
            ) from error
