"""Every error that is the user's to mend, as one tree.

    AsftError
    ├── PluginError     a plug-in name that cannot be found, or options that it does not take
    ├── DataError       a file, row or data set that cannot be used as it is
    ├── RecipeError     a recipe with problems, all of them told at once under their keys
    ├── RunError        a run directory that cannot be used or continued as it is
    ├── PromptError     a prompt file that cannot be read, or values that do not fit it
    ├── RequestError    a request that an endpoint refuses for good (the equal of HTTP 400 and 422)
    │   └── CeilingError    a request beyond the ceiling that its script was given
    ├── TeacherError    a call of a teacher or judge that failed
    │   ├── RetryableError  it may succeed if it is made again: 408, 409, 429, 5xx, no connection, timeout
    │   ├── FatalError      no call can succeed: 401, 403, 404
    │   └── GaveUpError     the tries of a request are used up
    ├── JournalError    a journal that is damaged, foreign, in use, another run's or not to be written
    ├── BudgetError     a budget that cannot be kept
    └── ServeError      an endpoint of ours that cannot be opened

The command line prints an `AsftError` without a traceback; anything else keeps its traceback, because
it is ours to mend. A message says what is wrong, the value, and what to do next.
"""


class AsftError(Exception):
    """The root of all errors that name a mistake in the input and the next step."""


class PluginError(AsftError):
    """A plug-in that cannot be found or loaded, or that does not take the options it was given."""


class DataError(AsftError):
    """A file, row or data set that cannot be used as it is."""


class RecipeError(AsftError):
    """A recipe with problems: all of them, each under its key."""


class RunError(AsftError):
    """A run directory that cannot be used or continued as it is, or a run that cannot go on."""


class PromptError(AsftError):
    """A prompt file that cannot be read or filled in, or values that do not fit its variables."""


class RequestError(AsftError):
    """A request that was refused for good: sending the same one again gives the same refusal."""


class CeilingError(RequestError):
    """A request beyond what its script said that it needs at most; it was not sent."""


class TeacherError(AsftError):
    """A call of a teacher or judge that failed."""


class RetryableError(TeacherError):
    """A call that failed and may succeed if it is made again."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        charged: bool = False,
        rate_limited: bool = False,
    ) -> None:
        """`retry_after`: seconds that the endpoint asks to wait. `charged`: it may have cost its ceiling.

        `rate_limited`: the endpoint says that it is asked too often (429), and not that it is in trouble.
        """
        super().__init__(message)
        self.retry_after = retry_after
        self.charged = charged
        self.rate_limited = rate_limited


class FatalError(TeacherError):
    """A call that failed in a way in which every call will: the run stops."""


class GaveUpError(TeacherError):
    """A request whose tries are used up: the run stops, and can be continued."""


class JournalError(AsftError):
    """A journal that is damaged, foreign, in use or not to be written."""


class BudgetError(AsftError):
    """A budget that cannot be kept, or a price that it needs and that nobody knows."""


class ServeError(AsftError):
    """An endpoint of ours that cannot be opened."""
