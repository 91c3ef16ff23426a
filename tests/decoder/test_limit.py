"""Where answers are cut off when the recipe does not say."""

from asft import decoder, student


def test_the_limit_is_half_as_much_again_as_the_99th_percentile(pocket: student.Loaded) -> None:
    # A digit is a token, and the end is one: 198 references of 11 tokens, one of 21, one of 31.
    references = [*["7" * 10] * 198, "7" * 20, "7" * 30]
    assert decoder.limit(pocket.tokenizer, references) == 17
    # Three in two hundred are more than one in a hundred.
    assert decoder.limit(pocket.tokenizer, [*references, "7" * 20]) == 32


def test_without_references_there_is_a_limit_too(pocket: student.Loaded) -> None:
    assert decoder.limit(pocket.tokenizer, []) == 256
