"""The errors that hepml raises: each says what was expected, what came, and how to fix it."""

from hepml.installation import warn_of_other_package

# Here, since every part of this package imports its errors, and only its own __init__ might be
# that of the other.
warn_of_other_package()


class HepmlError(Exception):
    """The base of every error that hepml raises on purpose.

    Parameters
    ----------
    what
        The subject: a file, branch, argument or operation, with its name and the offending value.
    expected
        What would have been right.
    got
        What came instead.
    fix
        What the user can do about it.

    Notes
    -----
    Without `expected`, `got` and `fix`, `what` is the whole message. So does torch make an error
    again that a worker of a DataLoader raised, from the text of the traceback: its last message is
    kept.

    Examples
    --------
    >>> print(InputError("offsets", expected="int64", got="int32", fix="convert with .long()"))
    offsets: expected int64, got int32. Fix: convert with .long().
    """

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.expected, self.got, self.fix = what, expected, got, fix
        if expected is not None and got is not None and fix is not None:
            self.message = f"{what}: expected {expected}, got {got}. Fix: {_sentence(fix)}"
        elif expected is got is fix is None:
            # As the last line of a traceback names the class.
            name = f"{type(self).__module__}.{type(self).__qualname__}: "
            self.what = self.message = what.rpartition(name)[2].rstrip("\n")
        else:
            raise TypeError("expected, got and fix belong together: give all of them or none")
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process boundaries (data workers); the default would call cls(message).
        return (_rebuild, (type(self), self.what, self.expected, self.got, self.fix))


def _sentence(text: str) -> str:
    """The text with one mark at its end."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def _rebuild(
    cls: type[HepmlError], what: str, expected: str | None, got: str | None, fix: str | None
) -> HepmlError:
    """Make the error again on the other side of a pickle."""
    return cls(what, expected=expected, got=got, fix=fix)


class InputError(HepmlError, ValueError):
    """A tensor, argument or configuration value is not what the documented interface takes."""


class RangeError(InputError, IndexError):
    """A batch has no set of this number; an IndexError, which ends iteration and samplers."""


class ColumnError(HepmlError, KeyError):
    """A file has no such tree, branch or field; the message lists the nearest names."""


class FileError(HepmlError, OSError):
    """A file cannot be read or written: missing, truncated, remote without support, not ROOT."""


class DataError(HepmlError, ValueError):
    """The content of a file is wrong: NaN momenta, unequal lengths, labels outside the classes."""


class MissingDependencyError(HepmlError, ImportError):
    """An optional package is not installed; the message holds the install command."""


class KernelError(HepmlError, RuntimeError):
    """No kernel can run an operation; the message lists the reason of each."""
