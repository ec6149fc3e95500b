"""Imported by a warm parent, children run without a box: for measuring what it costs."""

from typing import Any

from common.children import entry

patched: Any = entry
patched.apply = lambda box: []
