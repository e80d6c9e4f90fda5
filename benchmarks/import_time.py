"""What ``import flask_optout`` costs an app that imports Flask and Flask-SQLAlchemy anyway: a ratio, at most 1.3.

``python -m benchmarks.import_time [ROUNDS]`` starts fresh interpreters, in turn with and without us, and compares the
medians of the processor time that each spends on its imports. It exits with 1 only when the ratio is above 1.8, which
noise does not explain.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

MOST, FAR_PAST = 1.3, 1.8
BARE, OURS = "import flask, flask_sqlalchemy", "import flask, flask_sqlalchemy, flask_optout"


def seconds(code: str) -> float:
    """Processor time of the imports in a fresh interpreter."""
    program = f"from time import process_time as now; start = now(); {code}; print(now() - start)"
    return float(subprocess.check_output([sys.executable, "-c", program]))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    pairs = [(seconds(BARE), seconds(OURS)) for _ in range(rounds + 1)][1:]
    bare, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    verdict = f"{ours / bare:.2f} times, {'more than' if ours / bare > MOST else 'within'} {MOST}"
    print(f"import of Flask and Flask-SQLAlchemy {bare:.3f} s, with Flask-OptOut {ours:.3f} s: {verdict}")
    raise SystemExit(ours / bare > FAR_PAST)


if __name__ == "__main__":
    main()
