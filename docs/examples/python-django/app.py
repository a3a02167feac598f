"""Receive webhooks with Django and anymail, which reads the `sns` format as it is.

Bind with `notification_format: sns` and the URL https://user:password@HOST/anymail/amazon_ses/tracking/. Anymail checks
the password of that URL, not the signature.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    address = f"127.0.0.1:{os.environ.get('PORT', '8080')}"
    execute_from_command_line([sys.argv[0], "runserver", "--noreload", address])
