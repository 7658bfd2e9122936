"""Fail when a test was skipped for a reason that is not on the allow-list.

Usage: check_skips.py REPORT.xml ALLOWED.txt, or check_skips.py --summary REPORT.xml
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main() -> int:
    """Compare the skips of a JUnit report with the allowed reasons, one a line."""
    if sys.argv[1] == "--summary":
        suites = ET.parse(sys.argv[2]).getroot().findall("testsuite")
        total, bad, skipped = (
            sum(int(suite.get(key, 0)) for suite in suites for key in keys)
            for keys in (("tests",), ("failures", "errors"), ("skipped",))
        )
        print(f"{total - bad - skipped} passed, {bad} failed, {skipped} skipped")
        return 0
    report, allowed_file = sys.argv[1:]
    lines = Path(allowed_file).read_text().splitlines()
    allowed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    # Where a whole file is skipped, the message says only that; its reason is in the text.
    refused = [
        f"{case.get('classname')}::{case.get('name')}: {skip.get('message')} {skip.text}"
        for case in ET.parse(report).getroot().iter("testcase")
        for skip in case.findall("skipped")
        if not any(reason in f"{skip.get('message')} {skip.text}" for reason in allowed)
    ]
    for line in refused:
        print(f"skip not on {allowed_file}: {line}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
