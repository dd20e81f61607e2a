"""Graphviz, compiled to WebAssembly, run in V8 inside this process: no browser, no native dot."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from py_mini_racer import MiniRacer

SCRIPT_BYTES = 256 * 1024**2
"""What the script's own objects may take; text in and text out, a few megabytes as a rule."""
GRAPH_BYTES = 1024**3
"""What Graphviz may take; 500 paths need a tenth of it."""

# What a browser has and a bare V8 lacks. Graphviz draws random bytes only to seed hashes; giving
# it the same ones each time keeps layouts the same from run to run.
_SHIMS = """
globalThis.location = {href: 'file:///graphviz'};
globalThis.console = {log() {}, warn() {}, error() {}};
globalThis.performance = {now: () => Date.now()};
globalThis.crypto = {getRandomValues: a => a.map((_, i) => a[i] = (i * 73 + 41) & 255) && a};
globalThis.TextDecoder = class {
  decode(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192)
      text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return decodeURIComponent(escape(text));
  }
};
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * 65536 > GRAPH_BYTES) throw new RangeError('memory limit');
  return grow.call(this, pages);
};
"""
_START = """
var graphviz = null, fault = null;
Viz.instance().then(viz => { graphviz = viz }, error => { fault = String(error) }); 0
"""
_STATE = "graphviz ? 'ready' : fault"

_START_SECONDS = 20.0
# V8 complains when it is interrupted before it has begun.
_SHORTEST = 0.02


class Graphviz:
    """One engine, made when first asked, shared by all threads; they take turns.

    Interrupting WebAssembly leaves its memory in the middle of something, so an engine that was
    interrupted or failed is thrown away and the next call makes a new one.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._racer: MiniRacer | None = None
        self._process = 0

    def placed(self, dot: str, *, timeout: float) -> dict[str, Any]:
        """The graph of `dot` with positions, as Graphviz' json0 format has it.

        `timeout` seconds bound the waiting for one's turn and the layout together.

        Raises TimeoutError when that is not enough, RuntimeError when Graphviz or V8 gives up or
        is not installed.
        """
        deadline = time.monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise TimeoutError("another layout is still running")
        try:
            return self._placed(dot, deadline)
        finally:
            self._turn.release()

    def _placed(self, dot: str, deadline: float) -> dict[str, Any]:
        racer = self._engine()
        from py_mini_racer import JSEvalException, JSTimeoutException

        code = f"graphviz.renderString({json.dumps(dot)}, {{format: 'json0'}})"
        left = deadline - time.monotonic()
        if left < _SHORTEST:
            raise TimeoutError("the layout took too long")
        try:
            text = racer.eval(code, timeout_sec=left)
        except JSTimeoutException:
            self._racer = None
            raise TimeoutError("the layout took too long") from None
        except JSEvalException as error:
            self._racer = None
            raise RuntimeError(str(error).partition("\n")[0]) from error
        graph: dict[str, Any] = json.loads(str(text))
        return graph

    def _engine(self) -> MiniRacer:
        if self._racer is not None and self._process != os.getpid():
            raise RuntimeError("V8 does not survive a fork")
        if self._racer is None:
            # V8 binds itself to the event loop of the thread that makes it, if there is one, and
            # then refuses to be waited for; a thread of its own never has one.
            with ThreadPoolExecutor(1) as thread:
                self._racer = thread.submit(_started).result()
            self._process = os.getpid()
        return self._racer


def _started() -> MiniRacer:
    try:
        from py_mini_racer import JSEvalException, LibNotFoundError, MiniRacer
    except ImportError as error:
        raise RuntimeError(f"mini-racer does not load: {error}") from error
    script = files("miner.drawing").joinpath("vendor", "viz-global.js").read_text("utf-8")
    try:
        racer = MiniRacer()
        racer.set_hard_memory_limit(SCRIPT_BYTES)
        racer.eval(_SHIMS.replace("GRAPH_BYTES", str(GRAPH_BYTES)))
        racer.eval(script, timeout_sec=_START_SECONDS)
        racer.eval(_START, timeout_sec=_START_SECONDS)
        state = _awaited(racer)
    except (JSEvalException, LibNotFoundError, OSError) as error:
        raise RuntimeError(str(error).partition("\n")[0]) from error
    if state != "ready":
        raise RuntimeError(state)
    return racer


def _awaited(racer: MiniRacer) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        state = racer.eval(_STATE)
        if state:
            return str(state)
        time.sleep(0.005)
    return "Graphviz did not start"


graphviz = Graphviz()
"""The engine of this process."""
