"""Where templates that were synthesised are kept: a module of its own, so that naming it imports no code of ours."""

KEPT_IN = "SES_FEEDBACK_SYNTHESIS"  # an environment variable: the folder, for a process that runs changed code
