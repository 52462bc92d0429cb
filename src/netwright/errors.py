"""Every error that netwright raises on purpose.

Each class is also the builtin that a caller would expect, so ``except ValueError`` works where a value
was wrong. A message says where, what was expected, what was got and what to do.
"""


class NetwrightError(Exception):
    """Base of all netwright errors; the command line turns it into one line and exit code 2."""


class GraphError(NetwrightError, ValueError):
    """An op, its attributes or its input shapes do not fit together."""


class SpaceError(NetwrightError, ValueError):
    """A search-space expression, an architecture or a question about a space is wrong."""


class TooLargeError(SpaceError):
    """An exact answer about a space would take too much; the message says what to ask instead."""


class BudgetError(NetwrightError, ValueError):
    """A budget cannot be read, or no architecture of the space fits it."""


class DataError(NetwrightError, ValueError):
    """A data set cannot be read or split as asked."""


class TrainingError(NetwrightError, RuntimeError):
    """Training cannot go on, for example because the loss is not a number."""


class StudyError(NetwrightError, RuntimeError):
    """The durable record of a search cannot be opened, continued or trusted."""


class ExportError(NetwrightError, RuntimeError):
    """A network cannot be exported, or the export does not compute what the network does."""


class ConfigError(NetwrightError, ValueError):
    """A setting of the command line or of a configuration file is wrong."""


class MissingDependencyError(NetwrightError, ImportError):
    """An optional package is needed for this; the message names the pip extra."""
