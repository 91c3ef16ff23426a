"""Uploads to the hub, only when told to, and private unless told otherwise."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from asft.errors import RunError

Kind = Literal["model", "dataset"]
REPOSITORIES: Mapping[str, tuple[str, Kind]] = {
    "merged": ("", "model"),
    "adapter": ("-adapter", "model"),
    "data": ("-data", "dataset"),
}
"""Part -> what is put behind the name, and the kind of repository. The test split is never uploaded."""


class Hub(Protocol):
    """What is used of `huggingface_hub.HfApi`."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any:
        """Make a repository, unless it is there."""
        ...

    def upload_folder(self, *, repo_id: str, repo_type: str, folder_path: str, commit_message: str) -> Any:
        """Upload all files of a folder as one commit."""
        ...


def connect(name: str) -> Hub:
    """The hub, as `hf auth login` or HF_TOKEN opens it.

    Raises RunError for a name that is none, without a login, and where HF_HUB_OFFLINE is set.
    """
    import huggingface_hub

    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name):
        raise RunError(f"--push-to-hub {name}: write it as OWNER/NAME")
    if huggingface_hub.is_offline_mode():
        raise RunError(
            "--push-to-hub: HF_HUB_OFFLINE is set, so nothing is uploaded; unset it, or leave this out"
        )
    if huggingface_hub.get_token() is None:
        raise RunError("--push-to-hub: there is no login; run `hf auth login`, or export HF_TOKEN")
    api: Hub = huggingface_hub.HfApi()
    return api


def push(hub: Hub, name: str, parts: Mapping[str, Path], *, message: str, public: bool) -> list[str]:
    """Upload each part that has a repository; returns their names. Raises RunError where the hub refuses."""
    from huggingface_hub.errors import HfHubHTTPError

    done = []
    for part, folder in parts.items():
        if part not in REPOSITORIES:
            continue
        suffix, kind = REPOSITORIES[part]
        where = f"{name}{suffix}"
        try:
            hub.create_repo(where, repo_type=kind, private=not public, exist_ok=True)
            hub.upload_folder(repo_id=where, repo_type=kind, folder_path=str(folder), commit_message=message)
        except (HfHubHTTPError, OSError) as error:
            reason = " ".join(str(error).split())[:300]
            raise RunError(
                f"{where} cannot be uploaded ({reason}); the files are in {folder}, and the same command "
                "tries again"
            ) from error
        done.append(where if kind == "model" else f"datasets/{where}")
    return done
