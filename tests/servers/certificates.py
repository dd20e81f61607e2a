"""A certificate for servers on the loopback address."""

from __future__ import annotations

from pathlib import Path

from tests.servers.install import run


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that signed itself, and its key, as PEM files in `folder`."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", made, "-keyout", key]
    run(["openssl", "req", *kind, *files])
    return made, key
