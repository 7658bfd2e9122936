"""Arithmetic on columns: what a user may write where a branch name is expected."""

import ast
import re
from collections.abc import Callable, Collection, Mapping
from types import CodeType
from typing import Any, NamedTuple

import numpy as np
from uproot.language.python import PythonLanguage

from hepml.errors import InputError

# The functions of uproot's own expressions, so that what works in tree.arrays works here.
FUNCTIONS: Mapping[str, Callable[..., Any]] = PythonLanguage.default_functions | {
    "clip": np.clip,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "sign": np.sign,
}

# What names of branches are made of: "Jet/Jet.PT" and "Tower.Edges[4]" are no expressions.
_NAME = re.compile(r"[\w./:#\[\]]+")

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift,
    ast.UAdd, ast.USub, ast.Invert,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip


class Expression(NamedTuple):
    """A parsed expression: the names of columns in it, and the code that computes it."""

    text: str
    names: tuple[str, ...]
    code: CodeType


def check_text(text: object, what: str) -> None:
    """Refuse at once what could be neither a column nor an expression, whatever the file holds."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            what,
            expected="the name of a column or an expression of columns",
            got=repr(text),
            fix="write text such as 'part_px' or 'log(part_energy)'",
        )
    if not _NAME.fullmatch(text):
        parse(text, ())


def check_texts(mapping: Mapping[str, str], what: str) -> dict[str, str]:
    """A copy of a mapping from names to expressions, each of them checked."""
    if not isinstance(mapping, Mapping):
        raise InputError(
            what,
            expected="a mapping from names to expressions",
            got=repr(mapping),
            fix="write {'name': 'expression'}",
        )
    for name, text in mapping.items():
        check_text(text, f"{what}[{name!r}]")
    return dict(mapping)


def parse(text: str, known: Collection[str]) -> Expression:
    """Parse an expression over the known names of columns.

    Raises
    ------
    InputError
        If the text is neither a known name nor arithmetic on names, numbers and functions.
    """
    if text in known:
        return Expression(text, (text,), _compile(ast.Expression(_lookup(text))))
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise _refused(text, f"{text!r}, which is not valid: {error.msg}") from error
    names: dict[str, None] = {}
    body = _Checked(text, names).visit(tree.body)
    return Expression(text, tuple(names), _compile(ast.Expression(body)))


def evaluate(expression: Expression, operand: Callable[[str], Any]) -> Any:
    """Compute the expression; NaN and infinity are the caller's to find."""
    # No builtins, and _Checked let through neither attributes nor foreign calls: the text may
    # come from a stranger's checkpoint.
    scope = {"__builtins__": {}, "function": FUNCTIONS, "column": operand}
    with np.errstate(all="ignore"):
        return eval(expression.code, scope)


class _Checked(ast.NodeTransformer):
    """Lets arithmetic through and replaces names by look-ups; anything else is refused."""

    def __init__(self, text: str, names: dict[str, None]) -> None:
        self.text, self.names = text, names

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            return node
        dotted = _dotted(node)
        if dotted is not None:
            self.names[dotted] = None
            return _lookup(dotted)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node)
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            self._operator(node.op)
            return self.generic_visit(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            self._operator(node.ops[0])
            return self.generic_visit(node)
        if isinstance(node, _OPERATORS):
            return node
        raise _refused(self.text, f"{ast.unparse(node)!r} in {self.text!r}")

    def _operator(self, operator: ast.AST) -> None:
        """Refuse 'and', 'not', 'in', '@' and the like."""
        if not isinstance(operator, _OPERATORS):
            raise _refused(self.text, f"{type(operator).__name__} in {self.text!r}")

    def _call(self, name: str, node: ast.Call) -> ast.AST:
        """A known function, or ``get("any name")``."""
        if name == "get" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            column = str(node.args[0].value)
            self.names[column] = None
            return _lookup(column)
        if name not in FUNCTIONS:
            raise _refused(self.text, f"the function {name!r} in {self.text!r}")
        function = ast.Subscript(ast.Name("function", ast.Load()), ast.Constant(name), ast.Load())
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])


def _dotted(node: ast.AST) -> str | None:
    """The name that ``a.b.c`` stands for, as PHYSLITE and Delphes name their branches."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value)
        return None if left is None else f"{left}.{node.attr}"
    return None


def _lookup(name: str) -> ast.Call:
    """The code that asks for a column."""
    return ast.Call(ast.Name("column", ast.Load()), [ast.Constant(name)], [])


def _compile(tree: ast.Expression) -> CodeType:
    """Code of a tree that has no positions yet."""
    return compile(ast.fix_missing_locations(tree), "<expression>", "eval")


def _refused(text: str, got: str) -> InputError:
    """The error of an expression that is not arithmetic on columns."""
    return InputError(
        f"expression {text!r}",
        expected="a column, or arithmetic (+ - * / ** & | ~ == < >) and functions "
        f"({', '.join(sorted(FUNCTIONS)[:6])}, ...) of columns and numbers",
        got=got,
        fix="combine conditions with & and | in parentheses, and write get('name') for a column "
        "whose name is no Python name",
    )
