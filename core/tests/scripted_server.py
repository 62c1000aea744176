"""A server on this machine that answers as a test tells it to, lies included."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """What was asked, and what is answered: each request takes the next answer, the last one stays."""

    def __init__(self, address: str, answers: list[Callable]) -> None:
        self.address, self.answers = address, answers
        self.asked: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str = "a.bin") -> str:
        return f"{self.address}/{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]


@contextmanager
def serving(*answers: Callable) -> Iterator[Server]:
    """A server for the block; an answer is a function of the request handler."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, dict(self.headers)))
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_port}", list(answers))
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def asked_from(handler: BaseHTTPRequestHandler) -> int | None:
    """First byte that was asked for, or None."""
    found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    return int(found[1]) if found else None


def file(
    content: bytes,
    *,
    ranges: bool = True,
    cut: int | None = None,
    reset: bool = False,
    stated: int | None = None,
    etag: str = "",
    stall_s: float = 0,
    offset: int = 0,
    **headers: str,
) -> Callable:
    """Serve content.

    Parameters
    ----------
    content : bytes
    ranges : bool
        Whether a range that is asked for is given.
    cut : int, optional
        Bytes after which the connection ends (with ``reset`` by force).
    stated : int, optional
        A Content-Length that is not the truth.
    etag : str
        Given, and compared with If-Range.
    stall_s : float
        Seconds to say nothing at the cut.
    offset : int
        By how much a range is off what was asked for.
    **headers
        Others, ``_`` for ``-``.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = asked_from(handler)
        condition = handler.headers.get("If-Range")
        if start is None or not ranges or (condition and condition != etag):
            handler.send_response(200)
            body = content
        elif start >= len(content):
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        else:
            handler.send_response(206)
            start += offset
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            body = content[start:]
        handler.send_header("Content-Length", str(len(body) if stated is None else stated))
        if etag:
            handler.send_header("ETag", etag)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body[:cut])
        handler.wfile.flush()
        if stall_s:
            time.sleep(stall_s)
        if reset:
            # Lingering for no time makes the system reset the connection instead of ending it.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def status(code: int, **headers: str) -> Callable:
    """Answer with a status alone."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


def redirect(to: str, code: int = 302) -> Callable:
    """Send elsewhere."""
    return status(code, Location=to)
