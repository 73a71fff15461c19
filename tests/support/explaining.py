"""Owns a stand-in for an explainer's image: it takes the same arguments, asks the model, and says what it was told.

Must not explain anything.
"""

import argparse
import http.server
import json
import urllib.request


def _read() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--predictor_host", required=True)
    parser.add_argument("--protocol", choices=["seldon.http"], required=True)
    parser.add_argument("--http_port", type=int, required=True)
    parser.add_argument("type")
    return parser.parse_known_args()


TOLD, MORE = _read()


class Explaining(http.server.BaseHTTPRequestHandler):
    """Answers any POST with what the model answers to its body, and what this explainer is."""

    def do_POST(self) -> None:
        """Asks the model."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        where = f"http://{TOLD.predictor_host}/api/v1.0/predictions"
        asked = urllib.request.Request(where, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            said = json.load(answer)
        told = {"path": self.path, "type": TOLD.type, "model": TOLD.model_name, "more": MORE, "answer": said}
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", TOLD.http_port), Explaining).serve_forever()
