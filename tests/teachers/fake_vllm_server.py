"""Stands in for `vllm.entrypoints.openai.api_server`: its flags, its paths, and a process to leave behind.

FAKE_VLLM in the environment makes it fail: "dies" at its start, "deaf" so that it is never ready, "mortal" so
that it dies at its first question. FAKE_VLLM_ANSWERS names a JSON file with the token ids of its answers to
prompts of token ids, by these ids with spaces between them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FAULT = os.environ.get("FAKE_VLLM", "")
ANSWERS = os.environ.get("FAKE_VLLM_ANSWERS")
LONGEST = 1024
"""What the model takes, in tokens of prompt and answer together."""


def installed(folder: Path) -> str:
    """A folder for PYTHONPATH, with this file where vLLM's server is."""
    package = folder / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    shutil.copy(__file__, package / "api_server.py")
    for part in (package, package.parent, package.parent.parent):
        (part / "__init__.py").touch()
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name", default="")
    parser.add_argument("--lora-modules", default="")
    given, others = parser.parse_known_args()
    print("flags:", json.dumps(others), flush=True)
    if FAULT == "dies":
        print("RuntimeError: CUDA out of memory", *["waiting for the engine core"] * 20, sep="\n")
        sys.exit("the engine core has not started; see root cause above")
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("worker:", worker.pid, flush=True)
    names = [given.served_model_name, given.lora_modules.partition("=")[0]]
    answers = json.loads(Path(ANSWERS).read_text("utf-8")) if ANSWERS else {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/version":
                self.answer({"version": "0.0.fake"})
                return
            there = [{"id": name, "max_model_len": LONGEST} for name in names if name]
            self.answer({"data": [] if FAULT == "deaf" else there})

        def do_POST(self) -> None:
            print("POST", self.path, flush=True)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.path.startswith("/v1"):
                self.answer({})
                return
            if FAULT == "mortal":
                print("the engine core is dead", flush=True)
                os._exit(1)
            asked = json.loads(body)
            if self.path == "/v1/load_lora_adapter":
                names.append(asked["lora_name"])
                self.answer({})
                return
            if self.path == "/v1/completions":
                print("asked:", json.dumps(asked), flush=True)
                ids = answers[" ".join(map(str, asked["prompt"]))]
                found = {
                    "tokens": [f"token_id:{token}" for token in ids],
                    "token_logprobs": [-0.5] * len(ids),
                }
                self.answer({"choices": [{"text": "?", "logprobs": found}]})
                return
            text = f"{asked['model']} says {asked['messages'][-1]['content']}"
            message = {"role": "assistant", "content": text}
            self.answer(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": asked["model"],
                    "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
                }
            )

        def answer(self, value: dict[str, Any]) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ThreadingHTTPServer((given.host, given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
