"""Texts of expressions to steps: arithmetic gets through, and nothing else of Python."""

import ast
import math
import operator
import unicodedata
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import InputError
from hepml.io.expressions import _arithmetic as arithmetic
from hepml.io.expressions import _conditions as conditions
from hepml.io.expressions._arithmetic import NotComputable
from hepml.io.expressions._functions import FUNCTIONS
from hepml.io.expressions._lookup import Tables, look_up
from hepml.io.expressions._reductions import REDUCTIONS, count_of_condition
from hepml.io.expressions._steps import Apply, Constant, Expression, Name, Reduce, Step

# Constants are to fit into 64 bits. Python would also compute 9**9**9, for hours.
_LARGEST = 2**63


class _Operator(NamedTuple):
    """What an operator of Python does to columns, and to constants."""

    call: Callable[..., Any]
    constants: Callable[..., Any]


_AND = conditions.logical_or_bits(conditions.both, operator.and_)
_OR = conditions.logical_or_bits(conditions.either, operator.or_)
_XOR = conditions.logical_or_bits(conditions.one_of_two, operator.xor)

_OPERATORS: Mapping[type[ast.AST], _Operator] = {
    ast.Add: _Operator(arithmetic.add, operator.add),
    ast.Sub: _Operator(arithmetic.subtract, operator.sub),
    ast.Mult: _Operator(arithmetic.multiply, operator.mul),
    ast.Div: _Operator(arithmetic.divide, operator.truediv),
    ast.FloorDiv: _Operator(arithmetic.whole(operator.floordiv), operator.floordiv),
    ast.Mod: _Operator(arithmetic.whole(operator.mod), operator.mod),
    ast.Pow: _Operator(arithmetic.power, operator.pow),
    ast.LShift: _Operator(arithmetic.shift_left, operator.lshift),
    ast.RShift: _Operator(arithmetic.shift_right, operator.rshift),
    ast.BitAnd: _Operator(_AND, _AND),
    ast.BitOr: _Operator(_OR, _OR),
    ast.BitXor: _Operator(_XOR, _XOR),
    ast.UAdd: _Operator(arithmetic.number, operator.pos),
    ast.USub: _Operator(arithmetic.negative, operator.neg),
    # The bits of a constant are a mask, as in flags & ~4; a bool has the opposite.
    ast.Invert: _Operator(
        conditions.opposite, lambda x: not x if isinstance(x, bool) else operator.invert(x)
    ),
    ast.Eq: _Operator(conditions.compare(operator.eq), operator.eq),
    ast.NotEq: _Operator(conditions.compare(operator.ne), operator.ne),
    ast.Lt: _Operator(conditions.compare(operator.lt), operator.lt),
    ast.LtE: _Operator(conditions.compare(operator.le), operator.le),
    ast.Gt: _Operator(conditions.compare(operator.gt), operator.gt),
    ast.GtE: _Operator(conditions.compare(operator.ge), operator.ge),
}

_CONDITIONS = {"isfinite", "isinf", "isnan", "signbit"} | {
    f"logical_{name}" for name in ("and", "not", "or", "xor")
}


def parse(text: str, known: Collection[str], tables: Tables | None = None) -> Expression:
    """Parse an expression over the known names of columns.

    Parameters
    ----------
    tables
        The look-up tables by name; None if they are not known yet, and any name may be one.

    Raises
    ------
    InputError
        If the text is neither a known name nor arithmetic on names, numbers and functions, or it
        looks up a table that is not there.
    """
    if text in known:
        return Expression(text, (Name(text),))
    try:
        with warnings.catch_warnings():
            # Of Python about its own language: "1if x" or an unknown escape.
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        return Expression(text, tuple(_Parser(text, known, tables).steps(tree.body)))
    except SyntaxError as error:
        raise _refused(text, f"{text!r}, which is not valid: {error.msg}") from error
    except InputError:
        raise
    except ValueError as error:
        # Null bytes, halves of surrogate pairs.
        raise _refused(text, f"{text!r}, which is not valid: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise _refused(text, "one that is nested too deeply") from error


class _Parser:
    """The steps of a syntax tree that is arithmetic; anything else is refused."""

    def __init__(self, text: str, known: Collection[str], tables: Tables | None) -> None:
        self.text, self.known, self.tables = text, known, tables

    def steps(self, node: ast.AST) -> list[Step]:
        """The steps that compute a node."""
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            return [self._constant(node.value)]
        dotted = self._dotted(node)
        if dotted is not None:
            return [Name(self._as_stored(dotted))]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node)
        if isinstance(node, ast.BinOp):
            return self._operation(node, node.op, node.left, node.right)
        if isinstance(node, ast.UnaryOp):
            return self._operation(node, node.op, node.operand)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._operation(node, node.ops[0], node.left, node.comparators[0])
        raise _refused(self.text, f"{ast.unparse(node)!r} in {self.text!r}")

    def _operation(self, node: ast.expr, symbol: ast.AST, *operands: ast.expr) -> list[Step]:
        """An operator and its operands; 'and', 'not', 'in', '@' and the like are refused."""
        if type(symbol) not in _OPERATORS:
            raise _refused(self.text, f"{type(symbol).__name__} in {self.text!r}")
        known = _OPERATORS[type(symbol)]
        steps = [self.steps(operand) for operand in operands]
        constants = _constants(steps)
        if constants is None:
            return [*(step for each in steps for step in each), Apply(known.call, len(operands))]
        self._check_constants(node, symbol, constants)
        return [self._computed(node, known.constants, constants)]

    def _check_constants(self, node: ast.expr, symbol: ast.AST, values: list[Any]) -> None:
        """Refuse constants that would take Python's integers of any length for hours."""
        if isinstance(symbol, ast.LShift) and not 0 <= values[1] < 64:
            raise self._too_large(node)
        # The power of an integer has about this many bits.
        if isinstance(symbol, ast.Pow) and values[1] * int(abs(values[0])).bit_length() > 1024:
            raise self._too_large(node)

    def _call(self, name: str, node: ast.Call) -> list[Step]:
        """A known function, or ``get("any name")``."""
        if name == "get" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            column = str(node.args[0].value)
            return [Name(column if column in self.known else self._as_stored(column))]
        if name == "lookup":
            return self._lookup(node)
        if name not in FUNCTIONS and name not in REDUCTIONS:
            raise _refused(self.text, f"the function {name!r} in {self.text!r}")
        arguments = FUNCTIONS[name].arguments if name in FUNCTIONS else 1
        if len(node.args) != arguments:
            raise InputError(
                f"expression {self.text!r}",
                expected=f"{name}({', '.join('abc'[:arguments])}), of "
                f"{arguments} argument{'s' if arguments > 1 else ''}",
                got=f"{len(node.args)} in {ast.unparse(node)!r}",
                fix="correct the number of arguments"
                if name in FUNCTIONS
                else f"{name} is over the particles of a set; of several numbers for each there "
                "are maximum(a, b), minimum(a, b), logical_or(a, b), ...",
            )
        if name in FUNCTIONS:
            steps, call = [self.steps(argument) for argument in node.args], FUNCTIONS[name].call
            constants = _constants(steps)
            if constants is not None:
                return [self._computed(node, call, constants)]
            return [*(step for each in steps for step in each), Apply(call, arguments)]
        # Conditions with a NaN are floats: by their values count() would go with the chunk.
        if name == "count" and _is_condition(node.args[0]):
            error = count_of_condition()
            raise InputError(
                f"expression {self.text!r}",
                expected=error.expected,
                got=f"{error.got} in {ast.unparse(node)!r}",
                fix=error.fix,
            )
        argument = Expression(ast.unparse(node.args[0]), tuple(self.steps(node.args[0])))
        if not argument.names:
            raise _refused(self.text, f"{ast.unparse(node)!r} without a column")
        return [Reduce(REDUCTIONS[name], argument)]

    def _lookup(self, node: ast.Call) -> list[Step]:
        """``lookup("table", x)``, or with a default ``lookup("table", x, 0)``."""
        table = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if not isinstance(table, str) or len(node.args) not in (2, 3):
            raise InputError(
                f"expression {self.text!r}",
                expected="lookup('table', x) or lookup('table', x, default)",
                got=repr(ast.unparse(node)),
                fix="name one of the tables of the columns in quotes, and a column",
            )
        if self.tables is not None and table not in self.tables:
            raise InputError(
                f"expression {self.text!r}",
                expected=f"a table among {', '.join(self.tables) or '(no tables)'}",
                got=repr(table),
                fix=f"add it to the columns, tables: {{{table}: {{211: 1, -211: 1, 22: 2}}}}",
            )
        steps = [self.steps(argument) for argument in node.args[1:]]
        if _constants(steps[:1]) is not None:
            raise _refused(self.text, f"{ast.unparse(node)!r} without a column")
        call = look_up({0: 0} if self.tables is None else self.tables[table])
        return [*(step for each in steps for step in each), Apply(call, len(steps))]

    def _computed(self, node: ast.expr, call: Callable[..., Any], values: list[Any]) -> Constant:
        """The constant that an operation on constants is: none is left to compute with columns."""
        try:
            with np.errstate(all="ignore"):
                value = call(*values)
        except (ArithmeticError, TypeError, ValueError, NotComputable) as error:
            raise _refused(self.text, f"{ast.unparse(node)!r} ({error})") from error
        return self._constant(value.item() if isinstance(value, np.generic | np.ndarray) else value)

    def _constant(self, value: Any) -> Constant:
        """A number of Python, if an array may hold it."""
        if isinstance(value, complex) or not abs(value) < (
            _LARGEST if isinstance(value, int) else math.inf
        ):
            raise self._too_large(ast.Constant(value))
        return Constant(value)

    def _too_large(self, node: ast.expr) -> InputError:
        """The error of a constant that is not a number of 64 bits."""
        return _refused(self.text, f"{ast.unparse(node)!r:.60}, a constant beyond 64 bits")

    def _dotted(self, node: ast.AST) -> str | None:
        """The name that ``a.b.c`` stands for, as PHYSLITE and Delphes name their branches."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            left = self._dotted(node.value)
            return None if left is None else f"{left}.{node.attr}"
        return None

    def _as_stored(self, name: str) -> str:
        """The known column that a name means.

        Unicode has several spellings of some letters and Python knows one of them: the micro sign
        becomes a mu.
        """
        if self.text.isascii():
            return name
        spelt = [known for known in self.known if _normal(known) == _normal(name)]
        if len(spelt) > 1:
            spelt = [known for known in spelt if known in self.text]
        if len(spelt) > 1:
            raise InputError(
                f"expression {self.text!r}",
                expected=f"one column that Python would spell {_normal(name)!r}",
                got=", ".join(map(ascii, spelt)),
                fix="write get('name') with the name as the file spells it",
            )
        return spelt[0] if spelt else name


def _is_condition(node: ast.AST) -> bool:
    """Whether a node is a condition by its last operation."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Invert)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        chosen = node.args[1:] if node.func.id == "where" else []
        return node.func.id in _CONDITIONS or any(map(_is_condition, chosen))
    return isinstance(node, ast.Compare) or isinstance(getattr(node, "value", None), bool)


def _normal(name: str) -> str:
    """The spelling of a name that Python takes."""
    return unicodedata.normalize("NFKC", name)


def _constants(operands: list[list[Step]]) -> list[Any] | None:
    """The values of operands that are constants, or None if one is not."""
    values = [steps[0].value for steps in operands if isinstance(steps[0], Constant)]
    return values if len(values) == len(operands) and all(len(s) == 1 for s in operands) else None


def _refused(text: str, got: str) -> InputError:
    """The error of an expression that is not arithmetic on columns."""
    return InputError(
        f"expression {text!r}",
        expected="a column, or arithmetic (+ - * / ** & | ~ == < >) and functions "
        f"({', '.join(sorted(FUNCTIONS))}, lookup; over the particles of a set "
        f"{', '.join(REDUCTIONS)}) of columns and numbers",
        got=got,
        fix="combine conditions with & and | in parentheses, and write get('name') for a column "
        "whose name is no Python name",
    )
