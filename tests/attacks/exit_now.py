"""Ends the process while the cell runs, with success."""

import os

os._exit(0)
