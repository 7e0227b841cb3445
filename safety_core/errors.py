"""The errors that this project raises on purpose, as one tree.

    SafeVLMError
    ├── InputError               the caller sent something that cannot be served
    │   ├── ImageError           an image is hostile, broken or out of bounds
    │   └── PromptError          a prompt or a sampling option is out of bounds
    ├── SampleError              a data set record is malformed (file, line, field)
    ├── ConfigError              a setting, policy or training config is malformed
    │   ├── FieldError           a field of a config is malformed
    │   └── PolicyError          a field of a policy is malformed
    ├── DivergedError            a training loss is not finite
    ├── PartsError               a pretrained part of a backbone is missing or not the pinned one
    ├── CheckpointError          a checkpoint directory cannot be trusted
    │   ├── FormatVersionError   written by a format this code does not know
    │   ├── IntegrityError       a file is missing, surplus or does not match its sha256
    │   ├── MissingBackboneError the backbone must be brought first, it is not part of the repository
    │   ├── ForbiddenFileError   the folder contains a pickle or another file that executes code when loaded
    │   ├── TensorKeyError       a tensor is missing or surplus
    │   ├── TensorShapeError     a tensor's shape differs from the config
    │   └── UntrainedError       the safety modules were never trained
    ├── NoVerdictError           the guard could not judge; nothing may be generated
    │   └── UnreadError          not all lettering of an image was read
    └── EngineError              the engine did not do the work; the caller may retry
        ├── JudgeOnlyError       the guard was loaded to judge only and cannot generate
        ├── OverloadedError      too many requests are waiting
        ├── DeadlineError        the work took longer than the operator allows
        ├── ExhaustedError       there was not enough memory, even after a retry
        ├── StoppedError         the engine is shutting down, or its worker died
        └── GenerationError      there is a verdict, but the reply could not be generated

Messages never contain a user's text or image: they may be logged and sent to clients.
Standard library only.
"""


class SafeVLMError(Exception):
    """Root of the tree: every error that this project raises on purpose."""


class InputError(SafeVLMError):
    """The caller's input is invalid.

    Args:
        message: what is wrong, without quoting the input.
        code: stable machine-readable name, e.g. ``image_corrupt``.
        param: the request field at fault, if one is known.
    """

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class ImageError(InputError):
    """An image is broken, hostile, in an unsupported format, or exceeds a limit."""


class PromptError(InputError):
    """A prompt or a generation option is out of bounds."""


class SampleError(SafeVLMError):
    """A data set record is malformed.

    Args:
        message: what is wrong with the field.
        file: the JSONL file.
        line: line number, from 1.
        field: dotted name of the field at fault.
    """

    def __init__(self, message: str, *, file: str, line: int, field: str) -> None:
        super().__init__(f"{file}:{line}: {field}: {message}")
        self.message = message
        self.file = file
        self.line = line
        self.field = field


class ConfigError(SafeVLMError):
    """A setting, a policy file or a training config is malformed."""


class FieldError(ConfigError):
    """A field of a config is malformed.

    Args:
        problem: what is wrong with the field.
        place: keys that lead to the field; empty for the config as a whole.
    """

    def __init__(self, problem: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(": ".join(filter(None, (".".join(place), problem))))
        self.problem = problem
        self.place = place


class PolicyError(ConfigError):
    """A field of a policy is malformed.

    Args:
        problem: what is wrong with the field.
        place: keys that lead to the field from the top of the policy.
    """

    def __init__(self, problem: str, place: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(('policy', *place))}: {problem}")
        self.problem = problem
        self.place = place


class DivergedError(SafeVLMError):
    """A training run's loss is not finite; nothing of the run is saved."""


class PartsError(SafeVLMError):
    """A pretrained part that a backbone is assembled from is missing, cannot be read, or is not the pinned one."""


class CheckpointError(SafeVLMError):
    """A checkpoint directory cannot be trusted or is incompatible with this code."""


class FormatVersionError(CheckpointError):
    """``safevlm.json`` was written by a format version that this code does not know."""


class IntegrityError(CheckpointError):
    """A file is missing, surplus, or its bytes do not match the manifest."""


class MissingBackboneError(CheckpointError):
    """The checkpoint's backbone is not on this machine, and must be brought first; nothing else is wrong with it."""


class ForbiddenFileError(CheckpointError):
    """The folder contains a file that could execute code when loaded, such as a pickle."""


class TensorKeyError(CheckpointError):
    """A tensor that the config declares is missing, or an undeclared tensor is present."""


class TensorShapeError(CheckpointError):
    """A tensor's shape differs from the shape that the config declares."""


class UntrainedError(CheckpointError):
    """The checkpoint's safety modules were never trained; a server would not protect anything."""


class NoVerdictError(SafeVLMError):
    """The guard could not reach a verdict. Callers must refuse: no verdict, no model text."""


class UnreadError(NoVerdictError):
    """Not all lettering of an image was read, so it could not be judged.

    Args:
        message: what happened.
        too_long: whether the image has more lettering than is read; otherwise there was not enough time.
    """

    def __init__(self, message: str, *, too_long: bool = False) -> None:
        super().__init__(message)
        self.too_long = too_long


class EngineError(SafeVLMError):
    """The engine did not do the work, although nothing is wrong with the request."""


class JudgeOnlyError(EngineError):
    """A reply is wanted of a guard that was loaded to judge only; a retry cannot succeed."""


class OverloadedError(EngineError):
    """Too much work is waiting; rejecting this request at once keeps the latency of the others low.

    Args:
        message: what is overloaded.
        retry_after_s: seconds after which the same request is likely to be accepted.
    """

    def __init__(self, message: str = "too much is waiting", *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineError(EngineError):
    """No verdict, or no complete reply, within the time that the operator allows."""


class ExhaustedError(EngineError):
    """Memory ran out, also with smaller batches."""


class StoppedError(EngineError):
    """The engine accepts no more work: it is shutting down, or its worker died."""


class GenerationError(EngineError):
    """The language model failed after the verdict; its output so far must not be used as a reply."""
