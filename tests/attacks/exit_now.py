"""Exits with success while the cell runs."""

import os

os._exit(0)
