"""The problems of the open document: click to go there, fix where a fix is offered."""

from app.panels.problems.panel import ProblemsPanel
from app.panels.problems.problem import Problem, failures_of, place_of, problems_of

__all__ = ["Problem", "ProblemsPanel", "failures_of", "place_of", "problems_of"]
