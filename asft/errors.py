"""Every error that is the user's to mend, as one tree.

    AsftError
    ├── PluginError     a plug-in name that cannot be found, or options that it does not take
    ├── DataError       a file, row or data set that cannot be used as it is
    ├── RecipeError     a recipe with problems, all of them told at once under their keys
    ├── RunError        a run directory that cannot be used or continued as it is
    ├── PromptError     a prompt file that cannot be read, or values that do not fit it
    └── RequestError    a request that an endpoint refuses for good (the equal of HTTP 400 and 422)

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
