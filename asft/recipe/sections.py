"""The sections of a recipe that are no plug-ins: their keys, what they take, and their defaults."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from asft import registry
from asft.registry import plugin
from asft.teachers.vllm.settings import grouped

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0.0)]


def _window(value: str) -> str:
    if value in ("all", "new") or re.fullmatch(r"window\([1-9]\d*\)", value):
        return value
    raise ValueError("write all, new, or window(k) for the last k rounds, k at least 1")


_task = partial(registry.written_out, "task")


@plugin
class StudentVLLM:
    """`student.vllm`: how vLLM decodes for the student; by default, inside this process."""

    base_url: str | None = None
    """Of a vLLM server that runs already and sees the same files, such as http://127.0.0.1:8000/v1."""
    model: str | None = None
    """The server's name for the student's base; None: the first model that it has."""
    key_env: str | None = None
    """Name of the environment variable with the server's API key; None: it wants none."""
    python: str | None = None
    """Interpreter of an environment with vLLM in it, where it runs as a server of its own while a step asks
    it; None: inside this process."""
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the device's memory for a vLLM that is started here; None: nine tenths of a GPU in `asft
    eval`, and half in a run, where the student is there too, and on a CPU."""
    args: list[str] = Field(default_factory=list)
    """Further flags for a vLLM that is started here, as `vllm serve` takes them."""

    def __post_init__(self) -> None:
        """Refuse what has no effect, what asft decides, and secrets."""
        if self.base_url is not None and (self.python or self.args or self.gpu_memory_utilization):
            raise ValueError(
                "python, args and gpu_memory_utilization are for a vLLM that is started here; leave out "
                "base_url"
            )
        if self.base_url is None and (self.model or self.key_env):
            raise ValueError("model and key_env are for a server; give its base_url")
        for flag, _ in grouped(self.args):
            if flag in STUDENT_DECIDED:
                raise ValueError(f"args must not hold {flag}: {STUDENT_DECIDED[flag]}")


STUDENT_DECIDED = {
    "--model": "the student's base says it",
    "--revision": "the student's revision says it",
    "--dtype": "it is that of the student in memory",
    "--gpu-memory-utilization": "the option `gpu_memory_utilization` says it",
    "--enable-lora": "asft says it when there is an adapter",
    "--max-lora-rank": "the adapter says it",
    "--served-model-name": "asft decides it",
    "--host": "asft decides it",
    "--port": "asft decides it",
    "--uds": "asft decides it",
    "--api-key": "the server is this machine's alone, and a key would be in every file of the run",
    "--hf-token": "it would be in every file of the run; export HF_TOKEN",
}
"""Flags that `student.vllm.args` cannot hold, and why."""


@plugin
class StudentOptions:
    """`student`: the model that is made better."""

    base: str = "pocket"
    """"pocket", a folder, or a name on the hub."""
    revision: str | None = None
    quantise: Literal["nf4", "int8"] | None = None
    """Its weights in 4 bits (NF4, double quantisation) or 8, head and embeddings apart; an adapter that is
    trained on them is QLoRA. Needs bitsandbytes. None: as they are."""
    max_new_tokens: Count | None = None
    """Where its answers are cut off; cut-off answers are marked and counted. None: one and a half times the
    99th percentile of the pool's worked references, and 256 where it has none."""
    batch_size: Count = 128
    """Answers that are written at once."""
    decoder: Literal["hf", "vllm"] = "hf"
    """Who writes its answers: transformers, or vLLM."""
    vllm: StudentVLLM | None = None
    """How vLLM does; None: inside this process, with its defaults."""

    def __post_init__(self) -> None:
        """Refuse what has no effect, and a decoder that would have another student."""
        if self.quantise is not None and self.decoder == "vllm":
            raise ValueError(
                f"decoder: vllm: vLLM would decode with the weights as they are, and the student has them in "
                f"{self.quantise}; take decoder: hf, or leave quantise out"
            )
        if self.vllm is not None and self.decoder != "vllm":
            raise ValueError("the section vllm has no effect without `decoder: vllm`")


@plugin
class ReplayOptions:
    """`data.replay`: worked examples besides those that a round is about, against forgetting."""

    share: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Of the training set; drawn anew in each round, less where the source has fewer."""
    of: Literal["seeds", "earlier"] | Annotated[Mapping[str, Any], BeforeValidator(_task)] = "seeds"
    """seeds: the pool with its references. earlier: what was accepted in rounds that `train_on` leaves out.
    The section of a task, such as {use: qa, ...}: the worked examples of its split "seed"."""


@plugin
class WeightOptions:
    """`data.weights`: how much an example counts in the loss, beside the others of its optimiser step."""

    written: Weight = 1.0
    """What the teacher wrote."""
    seed: Weight = 1.0
    """What `include_seeds` adds."""
    replay: Weight = 1.0
    """What `replay` adds."""
    by: Literal["equal", "score"] = "equal"
    """score: times 0.5 for the easiest to 1.5 for the hardest, in even steps of rank. The score is that of
    the seed when it was picked; its rank, because the criteria have different units. 1 without a score."""

    @property
    def all_one(self) -> bool:
        """Whether every example counts alike."""
        return self.by == "equal" and self.written == self.seed == self.replay


@plugin
class ValidationOptions:
    """`data.validation`: a slice of the pool that is never measured, picked or trained on."""

    examples: Count = 100
    """Worked examples, drawn once by the run's seed."""
    patience: Count | None = 3
    """Training ends after so many evaluations in a row without a better loss; None: never early. What is
    kept is the student with the best one."""


@plugin
class DataOptions:
    """`data`: what each round's student is trained on."""

    start_from: Literal["base", "previous", "merged"] = "base"
    """base: train a fresh adapter on the base. previous: go on with the adapter of the round before. merged:
    a fresh adapter on the base into which that of the round before is merged."""
    train_on: Annotated[str, AfterValidator(_window)] = "all"
    """all: what was accepted so far. new: what this round accepted. window(k): the last k rounds, this one
    included."""
    include_seeds: bool = False
    """Whether the seeds that were picked, with their reference answers, are trained on too."""
    replay: ReplayOptions | None = None
    """None: nothing else is trained on."""
    weights: WeightOptions = Field(default_factory=WeightOptions)
    """How much each example counts."""
    order: Literal["shuffled", "easy_to_hard"] = "shuffled"
    """easy_to_hard: the same set by the score of the seeds when they were picked, in each epoch; what has no
    score is spread evenly."""
    measured: Literal["previous", "base"] = "previous"
    """Whom criteria, selectors and filters look at. previous: the student of the round before. base: always
    the base, so that what is written does not depend on how students are trained."""
    validation: ValidationOptions | None = None
    """None: the last student is kept, and nothing is held out."""

    def __post_init__(self) -> None:
        """Refuse what has no effect."""
        if self.replay is not None and self.replay.of == "earlier" and self.train_on == "all":
            raise ValueError("replay of earlier has no effect where all rounds are trained on; see train_on")

    @property
    def rounds(self) -> int | None:
        """How many of the last rounds are trained on; None: all."""
        if self.train_on == "all":
            return None
        return 1 if self.train_on == "new" else int(self.train_on[len("window(") : -1])


@plugin
class SampleOptions:
    """`evaluate.samples`: answers that are drawn at random beside the greedy one, for pass@k and maj@k."""

    k: Count
    """How many to each question."""
    temperature: Annotated[float, Field(gt=0.0)] = 0.7
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0


@plugin
class EvaluateOptions:
    """`evaluate`: how the test split is asked, and what is made of the answers.

    Measuring and training are about the bare question, whatever stands here.
    """

    by: Literal["answers", "likelihood", "mean_likelihood"] = "answers"
    """answers: what the student writes is graded. likelihood: of the task's choices the likeliest is its
    answer, by the sum over its tokens; mean_likelihood: by their mean."""
    samples: SampleOptions | None = None
    """None: the greedy answer alone."""
    system: str | None = None
    """A system prompt."""
    shots: Annotated[int, Field(ge=0)] = 0
    """Worked examples from the pool that stand before each question."""
    stop: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Texts before which an answer ends."""
    least_group: Count = 20
    """Items from which a group counts when the worst one is named."""

    def __post_init__(self) -> None:
        """Refuse what has no effect."""
        if self.by != "answers" and (self.samples is not None or self.stop):
            raise ValueError(f"samples and stop have no effect where nothing is written (by: {self.by})")


@plugin
class WorkerOptions:
    """`workers`: how many processes measure, train and evaluate. What is made does not depend on it."""

    processes: Count = 1
    """One for each device, on all machines together; 1: the run's own process does everything."""
    args: list[str] = Field(default_factory=list)
    """Further flags of `accelerate launch`."""
    config: str | None = None
    """A file that `accelerate config` wrote; None: the user's default one, where there is one."""

    def __post_init__(self) -> None:
        """Refuse what has no effect, and what asft decides."""
        if self.processes == 1 and (self.args or self.config):
            raise ValueError("args and config have no effect on one process; give `processes`")
        for flag, _ in grouped(self.args):
            if flag in LAUNCH_DECIDED:
                raise ValueError(f"args must not hold {flag}: {LAUNCH_DECIDED[flag]}")
        if self.processes % self.machines:
            raise ValueError(
                f"processes = {self.processes} are not as many on each of {self.machines} machines"
            )

    @property
    def machines(self) -> int:
        """On how many machines they are, as far as `args` tell."""
        given = " ".join(dict(grouped(self.args)).get("--num-machines", ["1"]))
        if not given.isdecimal() or int(given) < 1:
            raise ValueError(f"args: --num_machines wants a whole number, and not {given!r}")
        return int(given)


LAUNCH_DECIDED = {
    "--num-processes": "the option `processes` says it",
    "--config-file": "the option `config` says it",
    "--cpu": "it starts one process alone; without a device, all are on the CPU anyway",
    "--multi-gpu": "asft says it",
    "--module": "asft says what is run",
    "-m": "asft says what is run",
    "--use-fsdp": "each worker holds the whole student",
    "--use-deepspeed": "each worker holds the whole student",
    "--use-megatron-lm": "each worker holds the whole student",
    "--tpu": "workers run on CUDA or on a CPU",
    "--mixed-precision": "the section `train` says it (bf16, fp16)",
}
"""Flags that `workers.args` cannot hold, and why."""


@plugin
class EngineOptions:
    """`engine`: how the teacher is called. What is made does not depend on it."""

    concurrency: Count | Literal["auto"] = "auto"
    """Calls at once; "auto" begins with a few and finds what the endpoint bears."""
    requests_per_minute: Annotated[float, Field(gt=0.0)] | None = None
    """The most that are sent; None: as many as the endpoint takes."""
    tokens_per_minute: Annotated[float, Field(gt=0.0)] | None = None
    """The most that are used, input and output together; None: as many as the endpoint takes."""
    timeout: Annotated[float, Field(gt=0.0)] = 120.0
    """Seconds for one call."""
    tries: Count = 6
    """How often a request is sent at most; a 429 does not count."""
    retry_time: Annotated[float, Field(gt=0.0)] = 900.0
    """Seconds that the tries of a request, and the waits between them, may take together."""
    longest_wait: Annotated[float, Field(ge=0.0)] = 600.0
    """Seconds; an endpoint that asks to wait longer stops the run."""
    patience: Annotated[float, Field(ge=0.0)] = 300.0
    """Seconds that an endpoint that goes away is waited for; one that was never there, 8 at most."""
    grace: Annotated[float, Field(ge=0.0)] = 20.0
    """Seconds that calls in flight have to end when the run is told to stop."""
