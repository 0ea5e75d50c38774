"""What the host's sandbox changes for Python: a standard error of its own, no files, and a budget for each call."""

import gc
import io
import sys
from types import TracebackType

from wit_world.imports import stderr

# The most that the host's stream takes at once.
BYTES_AT_ONCE_MAX = 4096

# Where componentize-py mounts the sources while it imports them. Nobody else knows the directory by this name.
SOURCES = "/0/"


class StandardError(io.TextIOBase):
    """The file that Python prints to. When a call fails, the host quotes the end of what the call has printed."""

    def write(self, text: str) -> int:
        contents = text.encode(errors="replace")
        with stderr.get_stderr() as stream:
            for start in range(0, len(contents), BYTES_AT_ONCE_MAX):
                stream.blocking_write_and_flush(contents[start : start + BYTES_AT_ONCE_MAX])
        return len(text)


def print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints an exception that nobody caught, innermost call last. Python's own way would read the source files."""
    while trace is not None:
        code = trace.tb_frame.f_code
        print(f"{code.co_filename.removeprefix(SOURCES)}:{trace.tb_lineno} in {code.co_qualname}", file=sys.stderr)
        trace = trace.tb_next
    print(f"{kind.__name__}: {error}", file=sys.stderr)


def enter() -> None:
    """Prepares Python for the sandbox. Until now it has been running in the build, where there are files."""
    sys.stdout = sys.stderr = StandardError()
    sys.excepthook = print_exception
    # Memory is still freed when nothing refers to it. What is switched off is the search for objects that refer only to
    # each other: there are none here, and in a large market one search would spend the budget of a call.
    gc.disable()
