"""Where a value goes in a script: into other names, out of functions, and perhaps into a backward pass."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from dlcheck.treatment.script.loop import last
from dlcheck.treatment.script.source import Function, Source, calls, dotted

BACK = ("backward", "grad", "scale")
"""Calls that need the graph of what they are given."""


def goes_back(source: Source, name: str, scope: ast.AST) -> bool:
    """Return whether a name's value, or what is computed from it, may be sent back through its graph."""
    reached = _Reached(source)
    reached.add(name, scope)
    while reached.grows():
        pass
    sent = [call for call in calls(source.tree) if isinstance(call.func, ast.Attribute) and call.func.attr in BACK]
    return any(reached.mentioned(call) for call in sent)


@dataclass
class _Reached:
    """Names and functions that a value has reached."""

    source: Source
    names: set[tuple[ast.AST, str]] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)

    def add(self, name: str, scope: ast.AST) -> None:
        """Add a name; attributes of self are those of the whole file."""
        self.names.add((self.source.tree if name.startswith("self.") else scope, name))

    def grows(self) -> bool:
        """Follow the value one step further, and return whether that led anywhere."""
        known = len(self.names) + len(self.functions)
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
                self._assigned(node)
            elif isinstance(node, ast.Return | ast.Yield) and node.value is not None and self.mentioned(node.value):
                scope = self.source.scope(node)
                self.functions |= {scope.name} if isinstance(scope, Function) else set()
        return len(self.names) + len(self.functions) > known

    def _assigned(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr) -> None:
        if node.value is None or not self.mentioned(node.value):
            return
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in named(target):
                self.add(name, self.source.scope(node))

    def mentioned(self, node: ast.AST) -> bool:
        """Return whether an expression holds the value."""
        scope = self.source.scope(node)
        found = named(node)
        if any((where, name) in self.names for name in found for where in (scope, self.source.tree)):
            return True
        return any(last(dotted(call.func) or "") in self.functions for call in calls(node))


def named(node: ast.AST) -> set[str]:
    """Return the names within a node."""
    return {name for one in ast.walk(node) if (name := dotted(one)) is not None}
