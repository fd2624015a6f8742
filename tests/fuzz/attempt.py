"""One input given to a target: whether it ended well, in time, and within its memory."""

import resource
import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dlcheck.errors import DlcheckError
from tests.fuzz.target import MOST_MIB, MOST_SECONDS, Target, empty_folder

SOURCES = f"{Path('dlcheck')}/"


class TooSlow(BaseException):
    """Raised inside the target, past every ``except Exception`` in it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, and where."""

    kind: str
    """The same for all inputs that meet the same fault: the exception and the line of ours that it passed last."""
    story: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one input cost, and its fault if it has one."""

    fault: Fault | None
    seconds: float
    """Of the processor."""
    grown_mib: float
    """By which the peak of the process's memory rose."""
    refused: bool = False


def attempt(target: Target, content: bytes, root: Path | None = None) -> Attempt:
    """Give the bytes to the target, with a new folder in ``root``."""
    peak, begin = _peak_mib(), time.process_time()
    fault, refused = None, False
    with empty_folder(root) as folder:
        signal.signal(signal.SIGVTALRM, _ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
        try:
            target.run(content, folder)
        except DlcheckError as error:
            refused = True
            fault = _in_refusal(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            fault = _fault(error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    seconds, grown = time.process_time() - begin, _peak_mib() - peak
    if fault is None and grown > MOST_MIB:
        fault = Fault("memory", f"the peak of memory rose by {grown:.0f} MiB for {len(content)} bytes")
    return Attempt(fault, seconds, grown, refused)


def _in_refusal(error: DlcheckError) -> Fault | None:
    """Return what is wrong with a refusal: more lines than one, or a want of memory behind it."""
    if isinstance(error.__context__, MemoryError):
        return _fault(error.__context__)
    if len(str(error).splitlines()) != 1:
        return Fault(f"refusal of several lines at {_site(error)}", str(error))
    return None


def _fault(error: BaseException) -> Fault:
    return Fault(f"{type(error).__name__} at {_site(error)}", "".join(traceback.format_exception(error))[-6000:])


def _site(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if SOURCES in frame.filename] or frames
    return f"{ours[-1].filename.rpartition(SOURCES)[2]}:{ours[-1].lineno}" if ours else "nowhere"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _ring(number: int, frame: FrameType | None) -> None:
    raise TooSlow(f"more than {MOST_SECONDS:.0f} s of the processor's time")
