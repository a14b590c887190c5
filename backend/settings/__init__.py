"""What a user may set, typed: from one file, the environment and the command line, in that order.

The lowest room: it imports no other. Nothing reads settings by itself; whoever begins a process
loads them once and hands on what is needed. Only for its own folders a room may ask by itself
(``backend.settings.folders`` says why).
"""

from backend.settings.declared import Declaration, Settings, declarations
from backend.settings.edit import set_value, unset
from backend.settings.folders import cache_folder, data_folder, expanded, log_folder
from backend.settings.load import Loaded, load, near, settings_file
from backend.settings.values import SettingError, read_size, show_size, show_value

__all__ = [
    "Declaration",
    "Loaded",
    "SettingError",
    "Settings",
    "cache_folder",
    "data_folder",
    "declarations",
    "expanded",
    "load",
    "log_folder",
    "near",
    "read_size",
    "set_value",
    "settings_file",
    "show_size",
    "show_value",
    "unset",
]
