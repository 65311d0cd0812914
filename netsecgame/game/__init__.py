"""The asyncio server and its worlds; needs the `server` extra."""

from netsecgame.errors import missing_extra

try:
    import aiofiles  # noqa: F401 - only to see whether the extra is installed
    import jsonschema_specifications  # noqa: F401 - comes with jsonschema, which is slow to import
    import yaml  # noqa: F401
except ImportError as error:
    raise missing_extra(error, "server") from error
