"""Nothing is patched here: requests are threads. So what is in a module is the original."""

import importlib


def get_original(module, name):
    return getattr(importlib.import_module(module), name)
