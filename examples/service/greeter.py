#!/usr/bin/python3
"""Greets whoever asks: GET /NAME. GET / is a page."""

import http.server
import json
import os


class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        if name:
            with open("/etc/greeter.json", encoding="utf-8") as file:
                self.answer("text/plain", f"{json.load(file)['greeting']}, {name}\n".encode())
        else:
            with open("/usr/share/greeter/pages/index.html", "rb") as file:
                self.answer("text/html", file.read())

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Greeter).serve_forever()
