"""A vLLM server that runs already, with the student's base in it; adapters are loaded by their folder."""

import contextlib
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from asft.decoder.records import Job, Row
from asft.decoder.vllm import sampling
from asft.errors import FatalError
from asft.rundir import digest
from asft.student import Loaded, is_whole

TIMEOUT = 600.0
"""Seconds that a call has."""
WAITS = (1.0, 4.0, 15.0)
"""Seconds before a call is made again that failed for the moment."""
LOCAL = {"localhost", "127.0.0.1", "::1"}
PASSING = {408, 429, 500, 502, 503, 504}
"""Codes of HTTP after which the same call may succeed."""


class Served:
    """A server by its URL. Adapters that were loaded for it are taken out again when it is closed."""

    def __init__(self, *, base_url: str, at_once: int, model: str | None, key: str | None) -> None:
        """`model`: its name for the base; None: the first it has. `key`: the variable with the API key."""
        self._root = base_url.rstrip("/").removesuffix("/v1")
        self._at_once = at_once
        self._model = model
        self._key = key
        self._loaded: list[str] = []
        self._given_up = threading.Event()
        local = urllib.parse.urlsplit(base_url).hostname in LOCAL
        # A proxy of the environment leads nowhere from this machine to itself.
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(*proxies)

    def write(
        self,
        loaded: Loaded,
        jobs: Sequence[Job],
        *,
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[Row]:
        """See `Decoder.write`. Raises FatalError where the server cannot be asked."""
        name, most = self._model_of(loaded)
        self._given_up.clear()

        def one(job: Job) -> Row:
            room = max_new_tokens if most is None else min(max_new_tokens, max(1, most - len(job.prompt)))
            asked = {
                **sampling(loaded, job, room),
                **{"model": name, "prompt": list(job.prompt), "logprobs": 0},
                "return_tokens_as_token_ids": True,
            }
            [choice] = self._call("/v1/completions", asked)["choices"]
            found = choice["logprobs"]
            ids = [int(token.removeprefix("token_id:")) for token in found["tokens"]]
            return Row(token_ids=ids, nll=[-value for value in found["token_logprobs"]] if stats else [])

        threads = ThreadPoolExecutor(self._at_once)
        futures = [threads.submit(one, job) for job in jobs]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress:
                    progress(done)
        except BaseException:
            # What is in flight is not waited for: it may take minutes, and whoever owns the server ends it.
            self._given_up.set()
            raise
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
        return [future.result() for future in futures]

    def named(self) -> str:
        """See `Decoder.named`."""
        try:
            return f"vLLM {self._call('/version')['version']}"
        except (FatalError, KeyError, TypeError):
            # What stands before a server may pass on the paths of OpenAI's API alone.
            return "vLLM, version unknown"

    def close(self) -> None:
        """Take out the adapters that were loaded."""
        for name in self._loaded:
            # Whatever ended the step may have ended the server.
            with contextlib.suppress(FatalError):
                self._call("/v1/unload_lora_adapter", {"lora_name": name})
        self._loaded.clear()

    def _model_of(self, loaded: Loaded) -> tuple[str, int | None]:
        """What the server is asked by, and how many tokens prompt and answer may have, where it tells.

        That is the base, or the adapter, which is loaded where it is not there. Raises FatalError for a whole
        model, which no server takes in while it runs.
        """
        folder = loaded.student.adapter
        if folder is not None and is_whole(folder):
            raise FatalError(
                f"the student's vLLM server, {self._root}: {folder} holds a whole model, and a server that "
                "runs takes in adapters alone; leave out student.vllm.base_url"
            )
        there = {model["id"]: model for model in self._call("/v1/models")["data"]}
        base = self._model or next(iter(there))
        most = there.get(base, {}).get("max_model_len")
        if folder is None:
            return base, most
        name = f"asft-{digest(Path(folder))[:16]}"
        if name not in there:
            asked = {"lora_name": name, "lora_path": str(Path(folder).resolve())}
            self._call("/v1/load_lora_adapter", asked)
            self._loaded.append(name)
        return name, most

    def _call(self, path: str, body: Any = None) -> Any:
        """Its answer, read as JSON where it is that. Raises FatalError."""
        secret = self._secret()
        for wait in (*WAITS, None):
            try:
                return self._once(path, body, secret)
            except urllib.error.HTTPError as error:
                told = f"HTTP {error.code}: {error.read(500).decode('utf-8', 'replace')}"
                passing = error.code in PASSING
            except (urllib.error.URLError, OSError) as error:
                told, passing = str(getattr(error, "reason", error)), True
            if not passing or wait is None or self._given_up.wait(wait):
                break
        if secret:
            # Some servers repeat it.
            told = told.replace(secret, "***")
        hint = (
            "; a server loads adapters while it runs where it was started with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
            if "lora" in path
            else "; see student.vllm in the recipe"
        )
        raise FatalError(f"the student's vLLM server, {self._root}{path}: {told}{hint}")

    def _once(self, path: str, body: Any, secret: str | None) -> Any:
        headers = {"Content-Type": "application/json"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self._root}{path}", data=data, headers=headers)
        with self._opener.open(asked, timeout=TIMEOUT) as answer:
            text = answer.read()
        return json.loads(text) if text.startswith((b"{", b"[")) else text

    def _secret(self) -> str | None:
        if self._key is None:
            return None
        secret = os.environ.get(self._key, "").strip()
        if not secret:
            raise FatalError(
                f"student.vllm.key_env names the variable {self._key}, which is not set; export it"
            )
        return secret
