"""A server on this computer that speaks as much of OpenAI's chat protocol as tests need."""

import http.server
import json
import threading


class Stub(http.server.ThreadingHTTPServer):
    """A server that answers with what its function says of the body: a status and a record."""

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.asked, self.headers, self.at_once, self.most = answer, [], [], 0, 0
        self.paths = []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
            self.server.paths.append(self.path)
            self.server.headers.append(dict(self.headers))
            number = len(self.server.asked)
            self.server.at_once += 1
            self.server.most = max(self.server.most, self.server.at_once)
        status, record, *more = self.server.answer(number, body)
        content = record if isinstance(record, bytes) else json.dumps(record).encode()
        with self.server.lock:
            self.server.at_once -= 1
        self.send_response(status)
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def said(text, *tokens):
    """A record of the protocol; tokens are pairs of a token and what could have been there."""
    logprobs = [{"token": token, "top_logprobs": [{"token": t, "logprob": p} for t, p in top]} for token, top in tokens]
    choice = {"message": {"content": text}, "logprobs": {"content": logprobs} if tokens else None}
    return {"choices": [choice], "usage": {"prompt_tokens": 77, "total_tokens": 80}}
