"""distilabel 1.5.3: one or two TextGeneration steps with its OpenAILLM.

"shipped" leaves its batches at 50 and its timeout and retries as they are; "tuned" has batches as large as
the concurrency of all others, and their timeout; "replicas" shares these calls among 4 replicas of each step.
"""

from typing import Any

import work
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts, StepResources
from distilabel.steps.tasks import TextGeneration

REPLICAS = 4


def texts(given: Any) -> list[dict[str, Any]]:
    """The rows, in the order in which they come out."""
    concurrency = int(given.concurrency)
    options: dict[str, Any] = {}
    loading: dict[str, Any] = {}
    if given.setting == "tuned":
        options = {"input_batch_size": concurrency}
        loading = {"batch_size": concurrency}
    elif given.setting == "replicas":
        options = {
            "input_batch_size": concurrency // REPLICAS,
            "resources": StepResources(replicas=REPLICAS),
        }
        loading = {"batch_size": concurrency}

    def llm() -> OpenAILLM:
        waits = {} if given.setting == "shipped" else {"timeout": given.timeout}
        return OpenAILLM(
            model=work.MODEL,
            base_url=given.base_url,
            api_key="none",
            generation_kwargs={"max_new_tokens": work.MAX_TOKENS, "temperature": work.TEMPERATURE},
            **waits,
        )

    data = [{"item": item, "instruction": work.question(item)} for item in range(given.n)]
    with Pipeline(name="speed") as pipeline:
        load = LoadDataFromDicts(data=data, **loading)
        first = TextGeneration(name="first", llm=llm(), output_mappings={"generation": "text"}, **options)
        if given.steps == 1:
            load >> first
        else:
            second = TextGeneration(
                name="second",
                llm=llm(),
                template=work.answer("{{ text }}"),
                columns=["text"],
                output_mappings={"generation": "last"},
                **options,
            )
            load >> first >> second
    made = pipeline.run(use_cache=False)["default"]["train"]
    return [
        work.row(row["item"], row["last" if given.steps == 2 else "text"], "", "see its log") for row in made
    ]


def main() -> None:
    given = work.arguments()
    work.measured(given.out, lambda: texts(given))


if __name__ == "__main__":
    main()
