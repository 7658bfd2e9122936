"""Arithmetic on columns: what a user may write where a branch name is expected."""

import ast
import math
import operator
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

# Constants are to fit into 64 bits. Python would also compute 9**9**9, for hours.
_LARGEST = 2**63

_OPERATIONS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.Pow: operator.pow,
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Invert: operator.invert,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


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
        names: dict[str, None] = {}
        body = _Checked(text, names).visit(tree.body)
        return Expression(text, tuple(names), _compile(ast.Expression(body)))
    except SyntaxError as error:
        raise _refused(text, f"{text!r}, which is not valid: {error.msg}") from error
    except (RecursionError, MemoryError) as error:
        raise _refused(text, "one that is nested too deeply") from error


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
            return self._constant(node.value)
        dotted = _dotted(node)
        if dotted is not None:
            self.names[dotted] = None
            return _lookup(dotted)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node)
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            self._operator(node.op)
            return self._computed(self.generic_visit(node))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            self._operator(node.ops[0])
            return self._computed(self.generic_visit(node))
        if type(node) in _OPERATIONS:
            return node
        raise _refused(self.text, f"{ast.unparse(node)!r} in {self.text!r}")

    def _operator(self, symbol: ast.AST) -> None:
        """Refuse 'and', 'not', 'in', '@' and the like."""
        if type(symbol) not in _OPERATIONS:
            raise _refused(self.text, f"{type(symbol).__name__} in {self.text!r}")

    def _computed(self, node: Any) -> Any:
        """The node, or the constant that it is: no number of Python is left to compute with."""
        operands = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
        values: list[Any] = [each.value for each in operands if isinstance(each, ast.Constant)]
        if len(values) < len(operands):
            return node
        kind = node.ops[0] if isinstance(node, ast.Compare) else node.op
        if isinstance(kind, ast.LShift) and not 0 <= values[1] < 64:
            raise self._too_large(node)
        # The power of an integer has about this many bits.
        if isinstance(kind, ast.Pow) and values[1] * int(abs(values[0])).bit_length() > 1024:
            raise self._too_large(node)
        try:
            return self._constant(_OPERATIONS[type(kind)](*values))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise _refused(self.text, f"{ast.unparse(node)!r} ({error})") from error

    def _constant(self, value: Any) -> ast.Constant:
        """A number of Python, if an array may hold it."""
        if isinstance(value, complex) or not abs(value) < (
            _LARGEST if isinstance(value, int) else math.inf
        ):
            raise self._too_large(ast.Constant(value))
        return ast.Constant(value)

    def _too_large(self, node: ast.AST) -> InputError:
        """The error of a constant that is not a number of 64 bits."""
        return _refused(self.text, f"{ast.unparse(node)!r:.60}, a constant beyond 64 bits")

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
