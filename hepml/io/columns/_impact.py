"""Impact parameters as features."""


def significance(value: str, error: str) -> str:
    """The expression of a value over its error, between -50 and 50; 0 where there is no error.

    What has no track has an error of zero or less. Beyond 50 only tails are left, of which a few
    would decide about everything that the network learns.
    """
    return f"clip(where({error} > 0, {value} / {error}, 0), -50, 50)"
