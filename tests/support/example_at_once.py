"""The example, whose Email Log shows rows of the running minute: ``python -m tests.support.example_at_once``."""

import pytest

from example_app.__main__ import main
from flask_optout.email_log.records import LARGEST_ID

from .email_log import read_until

if __name__ == "__main__":
    read_until(pytest.MonkeyPatch(), lambda: LARGEST_ID)
    main()
