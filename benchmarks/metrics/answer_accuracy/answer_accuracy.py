"""Answer accuracy by asft's grading, as a metric of the library `evaluate`; it loads by path, offline.

metric = evaluate.load("benchmarks/metrics/answer_accuracy")
metric.compute(predictions=["... #### 72"], references=["72"])
"""

from typing import Any

import datasets
import evaluate

from asft import answers
from asft.stats import wilson

DESCRIPTION = """The share of predictions whose final answer is the reference's.

A final answer is read from a prediction behind "####", in \\boxed{}, behind "the answer is", or as the last
number in it; numbers are compared exactly, units and currency aside. A prediction without one is wrong, and
counted as unparsable."""
INPUTS = """
    predictions: texts, as a model wrote them.
    references: final answers ("72"), or worked ones that end with "#### 72" or \\boxed{72}.
    last_number: whether mathematics is expected, so that the last number of a prediction is its answer
        (default: true).
Returns
    accuracy: right predictions / all of them.
    low, high: its 95% interval (Wilson).
    right, unparsable: numbers of predictions.
    grades: 1.0, 0.0 or None for each prediction, in their order.
"""


class AnswerAccuracy(evaluate.Metric):
    """Answer accuracy."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            inputs_description=INPUTS,
            citation="",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self, predictions: list[str], references: list[str], last_number: bool = True
    ) -> dict[str, Any]:
        # Of a reference marks alone count: without one, it is the final answer as a whole.
        finals = [answers.extract(text, last_number=False) for text in references]
        grades = [
            answers.grade(text, final.text if final else reference, last_number=last_number).value
            for text, reference, final in zip(predictions, references, finals, strict=True)
        ]
        right = grades.count(1.0)
        interval = wilson(right, len(grades))
        return {
            "accuracy": right / len(grades),
            "low": interval.low,
            "high": interval.high,
            "right": right,
            "unparsable": grades.count(None),
            "grades": grades,
        }
