"""The errors a user can act on: each says what was expected, what came, and what to do next."""


class OneFormerLiteError(Exception):
    """Base of every error this package raises on purpose; the command line prints it without a traceback."""


class DataError(OneFormerLiteError):
    """A data set on disk is not what its format promises (missing file, unknown category, ids that disagree)."""


class WorkerError(DataError):
    """A process that read the data died: of its file, or for want of memory, which need not happen again."""


class ConfigError(OneFormerLiteError, ValueError):
    """A configuration contradicts itself or the data it meets (more segments than queries, unknown task)."""


class CheckpointError(OneFormerLiteError):
    """A checkpoint cannot be read, or belongs to a model of another configuration."""


class DivergedError(OneFormerLiteError):
    """A training does not learn: its loss has exploded, or its steps are skipped as their gradients are not finite."""
