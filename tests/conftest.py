"""What the tests of all rooms share."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# A busy machine takes long for an example, and that says nothing of the product.
settings.register_profile(
    "explore", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
# The same examples in every run; ``pytest --hypothesis-profile=explore`` tries others.
settings.register_profile("same", settings.get_profile("explore"), derandomize=True, database=None)
settings.load_profile("same")

# Of what a script runs in the background Ctrl-C is ignored, and by what the tests start as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write what is golden anew")
