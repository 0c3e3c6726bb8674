"""A web server for tests that can fail in the ways real ones do."""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Serves ``files`` (path -> bytes) from a thread; the attributes decide how well.

    ``requests`` lists (path, range or None) as they came; ``sent`` counts the bytes of all bodies.
    """

    def __init__(self, **files: bytes) -> None:
        self.files = {f"/{name}": content for name, content in files.items()}
        self.ranges = True
        self.version = "1"  # the ETag; None: only a date
        self.cut_after: int | None = None  # bytes of a body, then the connection closes
        self.cuts = 10**9  # how often
        self.errors: list[int] = []  # status codes of the next answers
        self.seconds_per_block = 0.0
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *args) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}".rstrip("/")

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        if self.errors:
            return handler.send_error(self.errors.pop(0))
        if handler.path not in self.files:
            return handler.send_error(404)
        content = self.files[handler.path]
        etag = f'"{self.version}"'
        same = handler.headers.get("If-Range", etag) == etag
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if self.ranges and match and same:
            start, end = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            body = content[start : end + 1]
        else:
            handler.send_response(200)
            body = content
        if self.version is not None:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        self.send(handler, body)

    def send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.cut_after is not None and len(body) > self.cut_after and self.cuts:
            self.cuts -= 1
            body = body[: self.cut_after]
        try:
            for start in range(0, len(body), 1000):
                self.sent += len(body[start : start + 1000])  # before: the client may look at once
                handler.wfile.write(body[start : start + 1000])
                time.sleep(self.seconds_per_block)
        except OSError:
            pass  # the client has gone
