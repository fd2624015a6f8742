"""Diagnosis: paths or a table in, judged runs out. Imports no torch."""

from dlcheck.diagnosis.diagnosis import Diagnosis, diagnose
from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.query import Query
from dlcheck.diagnosis.settings import Settings, parse_settings, project_settings, recipe_settings

__all__ = [
    "Diagnosis",
    "Query",
    "Settings",
    "diagnose",
    "examine",
    "parse_settings",
    "project_settings",
    "recipe_settings",
]
