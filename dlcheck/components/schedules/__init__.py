"""Learning-rate schedules, with warm-up before any of them."""

from dlcheck.components.schedules.build import SCHEDULES, build_schedule
from dlcheck.components.schedules.rate import RateSchedule

__all__ = ["SCHEDULES", "RateSchedule", "build_schedule"]
