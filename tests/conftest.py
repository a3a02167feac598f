"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# The same inputs in every run, and no verdict by the clock: a busy machine is no fault of the code.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
