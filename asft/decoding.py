"""Who decodes for a student, as the section `student` of a recipe says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asft.decoder import Decoder
from asft.decoder.vllm.in_process import OwnVLLM
from asft.decoder.vllm.own_server import OwnServer
from asft.decoder.vllm.served import Served
from asft.recipe import StudentOptions, StudentVLLM

ALONE, BESIDE = 0.9, 0.5
"""Shares of the device's memory: of a GPU that nothing else is on; beside the student and its scorer, or
beside all that is in a computer's memory."""


@contextmanager
def who_decodes(options: StudentOptions, log: Path, *, alone: bool = False) -> Iterator[Decoder | None]:
    """Who decodes; None: the student in memory. vLLM is started when it is first asked, and ends here.

    `log` is that of a vLLM that is started, and `alone` whether nothing else is on the GPU; the options may
    say how much of its memory is taken.
    """
    if options.decoder == "hf":
        yield None
        return
    import torch

    how = options.vllm or StudentVLLM()
    most = ALONE if alone and torch.cuda.is_available() else BESIDE
    at_once, memory = options.batch_size, how.gpu_memory_utilization or most
    made: OwnVLLM | OwnServer | Served
    if how.base_url is not None:
        made = Served(base_url=how.base_url, at_once=at_once, model=how.model, key=how.key_env)
    elif how.python is not None:
        made = OwnServer(python=how.python, at_once=at_once, memory=memory, args=how.args, log=log)
    else:
        made = OwnVLLM(at_once=at_once, memory=memory, args=how.args, log=log)
    try:
        yield made
    finally:
        made.close()
