"""A Hugging Face hub on this machine, one folder for each model.

It answers the requests that ``huggingface_hub.snapshot_download`` makes, with real files over real HTTP.
"""

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = hashlib.sha1(b"the only revision").hexdigest()


class Hub(BaseHTTPRequestHandler):
    root: Path
    requests: list[str] = []
    tokens: list[str | None] = []

    def do_HEAD(self):
        self.answer(send=False)

    def do_GET(self):
        self.requests.append(self.path)
        self.tokens.append(self.headers.get("Authorization"))
        self.answer(send=True)

    def answer(self, send: bool) -> None:
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/api/models/([\w-]+/[\w-]+)(/revision/\w+|/tree/\w+)?", path):
            folder = self.root / match[1]
            files = [f for f in sorted(folder.glob("*")) if f.is_file()]
            if not folder.is_dir():
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"}, send)
            if "/tree/" in path:
                tree = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": etag(f)} for f in files]
                return self.reply(200, json.dumps(tree).encode(), {}, send)
            siblings = [{"rfilename": f.name} for f in files]
            return self.reply(200, json.dumps({"id": match[1], "sha": COMMIT, "siblings": siblings}).encode(), {}, send)
        if match := re.fullmatch(r"/([\w-]+/[\w-]+)/resolve/\w+/([\w.-]+)", path):
            file = self.root / match[1] / match[2]
            if file.is_file():
                return self.reply(200, file.read_bytes(), {"ETag": f'"{etag(file)}"', "X-Repo-Commit": COMMIT}, send)
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, send)
        return self.reply(404, b"", {}, send)

    def reply(self, status: int, content: bytes, headers: dict, send: bool) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if send:
            self.wfile.write(content)

    def log_message(self, *args) -> None:
        pass


def etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


def start(root: Path) -> ThreadingHTTPServer:
    """A server that waits for ``serve_forever``; its lists ``RequestHandlerClass.requests`` and ``tokens`` say what was
    fetched, and by whom."""
    handler = type("OneHub", (Hub,), {"root": root, "requests": [], "tokens": []})
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)
